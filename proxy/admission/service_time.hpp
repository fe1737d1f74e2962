#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "proxy/net/clock.hpp"

namespace spillway::admission {

/// How long the API takes for a request of a class: the typical time, and the time that nine of ten do not exceed.
///
/// The typical time is an exponentially weighted average, as TCP keeps one of its round trips (Jacobson 1988, gain
/// 1/8). The other is the p90 of the last 32 times, found anew every 8 of them. Both halve for each second without a
/// sample. Otherwise estimates so high that every request with a deadline is refused would never get a new sample.
class ServiceTime {
 public:
  void learn(Duration taken, Time now) {
    average_ = average_ == Duration::zero() ? taken : average_ + (taken - average_) / 8;
    learned_ = now;
    last_[samples_++ % kLast] = taken;
    if (samples_ % kEvery == 0 || samples_ <= kEvery) find_p90();
  }

  /// 0 while unknown.
  Duration typical(Time now) const { return faded(average_, now); }
  /// At least the typical time; 0 while unknown.
  Duration p90(Time now) const { return faded(std::max(average_, p90_), now); }

 private:
  static constexpr std::size_t kLast = 32, kEvery = 8;

  void find_p90() {
    auto sorted = last_;
    const std::size_t known = std::min(samples_, kLast);
    const auto at = sorted.begin() + static_cast<std::ptrdiff_t>((known - 1) * 9 / 10);
    std::nth_element(sorted.begin(), at, sorted.begin() + static_cast<std::ptrdiff_t>(known));
    p90_ = *at;
  }
  Duration faded(Duration time, Time now) const {
    const auto seconds = (now - learned_) / std::chrono::seconds(1);
    return seconds < 32 ? time / (std::int64_t{1} << seconds) : Duration::zero();
  }

  Duration average_{}, p90_{};
  std::array<Duration, kLast> last_{};
  std::size_t samples_ = 0;
  Time learned_{};
};

}  // namespace spillway::admission
