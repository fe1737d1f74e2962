#pragma once

#include "proxy/net/clock.hpp"

namespace spillway::admission {

/// The typical time that the API takes for a request of a class: an exponentially weighted average, as TCP keeps one of
/// its round trips (Jacobson 1988, gain 1/8). It halves for each second without a sample. Otherwise an estimate so high
/// that every request with a deadline is refused would never get a new sample.
class ServiceTime {
 public:
  void learn(Duration taken, Time now) {
    average_ = average_ == Duration::zero() ? taken : average_ + (taken - average_) / 8;
    learned_ = now;
  }

  /// 0 while unknown.
  Duration typical(Time now) const {
    const auto seconds = (now - learned_) / std::chrono::seconds(1);
    return seconds < 32 ? average_ / (std::int64_t{1} << seconds) : Duration::zero();
  }

 private:
  Duration average_{};
  Time learned_{};
};

}  // namespace spillway::admission
