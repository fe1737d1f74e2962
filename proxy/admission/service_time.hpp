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

  /// To decide by; 0 while unknown.
  Duration typical(Time now) const { return faded(average_, now); }
  /// To tell people: as of the last sample, however long ago. 0 while unknown.
  Duration last_known() const { return average_; }

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
  Duration faded(Duration time, Time now) const {
    const auto seconds = (now - learned_) / std::chrono::seconds(1);
    return seconds < 32 ? time / (std::int64_t{1} << seconds) : Duration::zero();
  }

 private:
  Duration average_{};
  Time learned_{};
};

/// The same for the requests of a class, and the time that nine of ten of them do not exceed: the p90 of the last
/// second's samples, of 32 at most; if they are fewer than 8, of the last 8. Without this bound by time, a few slow
/// requests would count for as long as their time keeps others from being sent. Found anew every 40 ms at most. It
/// halves likewise.
class ServiceTime : public TypicalTime {
 public:
  void learn(Duration taken, Time now) {
    TypicalTime::learn(taken, now);
    last_[samples_ % kLast] = {.taken = taken, .at = now};
    ++samples_;
    if (now - found_ >= kFindEvery) find_p90(now);
  }

  /// At least the typical time; 0 while unknown.
  Duration p90(Time now) const { return faded(std::max(last_known(), p90_), now); }
  /// Whether a request could be answered within this time, if the estimate is as wrong as may be: the API has answered
  /// as fast lately, or `kHope` times as fast would do. 0 is no hope.
  bool possible_in(Duration left, Time now) const {
    return left > Duration::zero() && (left >= least_ || left >= p90(now) / kHope);
  }

  /// The last sample; 0 while unknown.
  Duration latest() const { return last_[(samples_ - 1) % kLast].taken; }

  Duration learned_p90() const { return p90_; }
  void restore(const Learned& learned, Duration p90, Time now) {
    TypicalTime::restore(learned, now);
    p90_ = least_ = p90;
    last_.fill({.taken = p90, .at = now - learned.age});
    samples_ = p90 == Duration::zero() ? 0 : kLeast - 1;  // the first new ones do not decide alone
  }

 private:
  static constexpr std::size_t kLast = 32, kLeast = 8;
  static constexpr Duration kRecent = std::chrono::seconds(1);
  static constexpr Duration kFindEvery = std::chrono::milliseconds(40);
  static constexpr int kHope = 4;

  struct Sample {
    Duration taken{};
    Time at{};
  };

  void find_p90(Time now) {
    found_ = now;
    std::array<Duration, kLast> sorted;
    std::size_t count = 0;
    for (const std::size_t known = std::min(samples_, kLast); count < known; ++count) {
      const Sample& each = last_[(samples_ - 1 - count) % kLast];
      if (count >= kLeast && now - each.at > kRecent) break;
      sorted[count] = each.taken;
    }
    const auto end = sorted.begin() + static_cast<std::ptrdiff_t>(count);
    const auto at = sorted.begin() + static_cast<std::ptrdiff_t>((count - 1) * 9 / 10);
    std::nth_element(sorted.begin(), at, end);
    p90_ = *at;
    least_ = *std::min_element(sorted.begin(), at + 1);
  }

  Duration p90_{}, least_{};
  Time found_{};
  std::array<Sample, kLast> last_{};
  std::size_t samples_ = 0;
};

}  // namespace spillway::admission
