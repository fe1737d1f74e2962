#pragma once

#include <cstddef>
#include <string>
#include <unordered_set>
#include <utility>

#include "proxy/net/clock.hpp"

namespace api::auth {

/// Remembers texts for `period` to twice that, in two generations. The older one is dropped when the younger one is
/// `period` old or holds `most` texts: memory is bounded, and no text is removed singly. Pure and not thread-safe.
class Recent {
 public:
  Recent(std::size_t most, Duration period) : most_(most), period_(period) {}

  void add(std::string text, Time now) {
    turn(now);
    if (young_.size() >= most_) start_generation(now);
    young_.insert(std::move(text));
  }
  bool contains(const std::string& text, Time now) {
    turn(now);
    return young_.contains(text) || old_.contains(text);
  }
  std::size_t size() const { return young_.size() + old_.size(); }

 private:
  void turn(Time now) {
    if (now - began_ < period_) return;
    if (now - began_ >= 2 * period_) young_.clear();
    start_generation(now);
  }
  void start_generation(Time now) {
    old_ = std::exchange(young_, {});
    began_ = now;
  }

  const std::size_t most_;
  const Duration period_;
  Time began_{};
  std::unordered_set<std::string> young_, old_;
};

}  // namespace api::auth
