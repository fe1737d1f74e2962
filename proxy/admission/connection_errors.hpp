#pragma once

#include <algorithm>
#include <cstdint>

#include "proxy/net/clock.hpp"

namespace spillway::admission {

/// The errors of the API's database connections, as a counter of this process: it never falls. The API reports how many
/// there have been since its own start. A lower number than before means that the API has been restarted, or that the
/// answer it came on was begun before others. Polls come in order, so they count, and answers only where no poll tells.
class ConnectionErrors {
 public:
  /// A health poll has told `count`.
  void polled(std::uint64_t count, Time now) { add(count, true, now); }
  /// An answer has told it. `kept`: how long a report counts; later than that no older answer is expected.
  void answered(std::uint64_t count, Duration kept, Time now) {
    const bool told_lately = now - told_ <= kept;
    if (told_lately && (by_poll_ || count < reported_)) return;
    add(count, false, now);
  }

  std::uint64_t total() const { return total_; }

  /// For a successor of the process, which counts what comes after that.
  std::uint64_t reported() const { return reported_; }
  void restore(std::uint64_t reported, Time now) {
    reported_ = reported;
    told_ = now;
  }

  /// A higher count is taken for it: exact in a double, and sums cannot overflow.
  static constexpr std::uint64_t kMost = 1'000'000'000'000'000;

 private:
  void add(std::uint64_t count, bool by_poll, Time now) {
    count = std::min(count, kMost);
    total_ += count < reported_ ? count : count - reported_;
    reported_ = count;
    by_poll_ = by_poll;
    told_ = now;
  }

  std::uint64_t total_ = 0;
  std::uint64_t reported_ = 0;  // by the API, last
  bool by_poll_ = false;        // the last that counted
  Time told_{};                 // then
};

}  // namespace spillway::admission
