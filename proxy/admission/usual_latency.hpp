#pragma once

#include <algorithm>

#include "proxy/net/clock.hpp"

namespace spillway::admission {

/// The usual latency of a class: the mean of each period, averaged over about the last minute. An answer is unusual
/// when it takes several times as long. So 6 s is normal for a class of long polls, and 6 ms for a class of look-ups.
///
/// Cold start: until the first period has ended, nothing is known and no answer is unusual. A period continues until it
/// has enough answers. A lasting change becomes usual after about half a minute.
class UsualLatency {
 public:
  static constexpr Duration kPeriod = std::chrono::seconds(10);  ///< as long as the breaker's default window
  static constexpr int kLeastAnswers = 5;                        ///< of a period; fewer prove nothing
  static constexpr int kMemory = 6;                              ///< periods: a minute
  static constexpr int kOutOfTheOrdinary = 3;  ///< times the usual latency; mixed traffic varies by a factor of two

  void learn(Duration latency, Time now) {
    end_period(now);
    if (answers_ == 0) begin_ = now;
    ++answers_;
    sum_ += latency;
  }

  bool known(Time now) {
    end_period(now);
    return periods_ > 0;
  }
  /// A latency from here on is unusual; 0 while nothing is known.
  Duration ordinary_below(Time now) {
    end_period(now);
    return usual_ * kOutOfTheOrdinary;
  }

  struct Learned {
    Duration usual{};
    int periods = 0;
  };
  Learned learned() const { return {usual_, periods_}; }
  void restore(const Learned& learned) {
    usual_ = learned.usual;
    periods_ = std::clamp(learned.periods, 0, kMemory);
  }

 private:
  void end_period(Time now) {
    if (answers_ < kLeastAnswers || now - begin_ < kPeriod) return;
    periods_ = std::min(periods_ + 1, kMemory);
    usual_ += (sum_ / answers_ - usual_) / periods_;
    answers_ = 0;
    sum_ = {};
  }

  Time begin_{};
  int answers_ = 0, periods_ = 0;
  Duration sum_{}, usual_{};
};

}  // namespace spillway::admission
