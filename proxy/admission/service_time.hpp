#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "proxy/net/clock.hpp"

namespace spillway::admission {

/// The typical time that the API takes for a request: an exponentially weighted average, as TCP keeps one of its round
/// trips (Jacobson 1988, gain 1/8). It halves for each second without a sample. Otherwise an estimate so high that
/// every request with a deadline is refused would never get a new sample.
class TypicalTime {
 public:
  void learn(Duration taken, Time now) {
    average_ = average_ == Duration::zero() ? taken : average_ + (taken - average_) / 8;
    learned_ = now;
  }

  /// 0 while unknown.
  Duration typical(Time now) const { return faded(average_, now); }

  struct Learned {
    Duration average{};  ///< 0: unknown
    Duration age{};      ///< of the last sample
  };
  Learned learned(Time now) const { return {average_, now - learned_}; }
  void restore(const Learned& learned, Time now) {
    average_ = learned.average;
    learned_ = now - learned.age;
  }

 protected:
  Duration average() const { return average_; }
  Duration faded(Duration time, Time now) const {
    const auto seconds = (now - learned_) / std::chrono::seconds(1);
    return seconds < 32 ? time / (std::int64_t{1} << seconds) : Duration::zero();
  }

 private:
  Duration average_{};
  Time learned_{};
};

/// The same for the requests of a class, and the time that nine of ten of them do not exceed: the p90 of the last 32,
/// found anew after each 32 of them, at first after each fourth. It halves likewise.
class ServiceTime : public TypicalTime {
 public:
  void learn(Duration taken, Time now) {
    TypicalTime::learn(taken, now);
    last_[samples_++ % kLast] = taken;
    if (samples_ % kLast == 0 || (samples_ < kLast && samples_ % 4 == 1)) find_p90();
  }

  /// At least the typical time; 0 while unknown.
  Duration p90(Time now) const { return faded(std::max(average(), p90_), now); }

  Duration learned_p90() const { return p90_; }
  /// The next p90 is found after 32 samples.
  void restore(const Learned& learned, Duration p90, Time now) {
    TypicalTime::restore(learned, now);
    p90_ = p90;
    samples_ = kLast;
  }

 private:
  static constexpr std::size_t kLast = 32;

  void find_p90() {
    auto sorted = last_;
    const std::size_t known = std::min(samples_, kLast);
    const auto at = sorted.begin() + static_cast<std::ptrdiff_t>((known - 1) * 9 / 10);
    std::nth_element(sorted.begin(), at, sorted.begin() + static_cast<std::ptrdiff_t>(known));
    p90_ = *at;
  }

  Duration p90_{};
  std::array<Duration, kLast> last_{};
  std::size_t samples_ = 0;
};

}  // namespace spillway::admission
