#pragma once

#include <algorithm>

#include "proxy/net/clock.hpp"

namespace spillway::admission {

/// What a class's requests usually take: the mean of a period, averaged over about the last minute. An answer is out of
/// the ordinary when it takes several times as long: a class of long polls is as well at 6 s as one of look-ups at 6
/// ms.
///
/// Cold start: nothing is known, and so nothing is out of the ordinary, until the first period has ended. Periods
/// without enough answers go on. What lasts becomes usual: after half a minute at a new level that level is ordinary.
class UsualLatency {
 public:
  static constexpr Duration kPeriod = std::chrono::seconds(10);  ///< as long as the breaker's default window
  static constexpr int kLeastAnswers = 5;                        ///< of a period; fewer are chance
  static constexpr int kMemory = 6;                              ///< periods: a minute
  static constexpr int kOutOfTheOrdinary = 3;                    ///< times the usual; mixed traffic varies by two

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
  /// From here on a latency is out of the ordinary; 0 while nothing is known.
  Duration ordinary_below(Time now) {
    end_period(now);
    return usual_ * kOutOfTheOrdinary;
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
