#pragma once

#include <algorithm>
#include <cmath>

#include "proxy/net/clock.hpp"

namespace spillway::admission {

/// How many requests arrive per second: an exponentially weighted rate. Its memory of half an interval gives it the
/// variance of a count over the whole interval.
class ArrivalRate {
 public:
  void arrived(Time now, Duration interval) {
    if (now - folded_ >= interval / kSteps) fold(now, interval);
    ++fresh_;
  }
  double per_second(Time now, Duration interval) const {
    const Duration quiet = std::max(Duration::zero(), now - folded_ - interval / kSteps);
    return decayed(rate_, now - folded_, interval) + decayed(fresh_ * weight(interval), quiet, interval);
  }
  void restore(double per_second, Time now) {
    rate_ = per_second;
    folded_ = now;
    fresh_ = 0;
  }

 private:
  static constexpr int kSteps = 16;  // of an interval: arrivals within a step count as one moment, for one exponential

  static double weight(Duration interval) { return 2 / in_seconds(interval); }
  static double decayed(double rate, Duration passed, Duration interval) {
    return rate == 0 || passed == Duration::zero() ? rate : rate * std::exp(-in_seconds(passed) * weight(interval));
  }
  void fold(Time now, Duration interval) {
    rate_ = per_second(now, interval);
    folded_ = now;
    fresh_ = 0;
  }

  double rate_ = 0;  // at `folded_`
  Time folded_{};
  int fresh_ = 0;  // arrivals since
};

/// How many requests the API serves per second, counted while requests wait: then every slot is in use, and the starts
/// show how often one becomes free. A computed rate, slots over service time, is not good enough for long: 30 % too
/// high, and an overload of 1.2 looks like none; 30 % too low, and requests of a burst are refused that could be served
/// in time. But the first count may be as wrong: what disturbs the API for a tenth of a second decides it. So counts
/// are trusted by degrees.
class ServiceRate {
 public:
  /// The line has just got its first request: a count begins with the next start.
  void waiting() { starts_ = -1; }
  /// A request was started, and the line has not been empty since `waiting`.
  void started(Time now) {
    // Count from start to start: otherwise the first of several slots that become free together is left out.
    if (++starts_ == 0) begin_ = now;
    const double elapsed = in_seconds(now - begin_);
    if (elapsed < kWindow || starts_ < kStarts) return;
    counted_ += elapsed;
    rate_ += std::max(kWeight, elapsed / counted_) * (starts_ / elapsed - rate_);
    begin_ = last_ = now;
    starts_ = 0;
  }
  /// Nobody waits, so nothing is counted. After a while the API may have become faster or slower: the next count begins
  /// anew.
  void idle(Time now) {
    if (current() && in_seconds(now - last_) > std::max(kEnough, kOld / rate_)) counted_ = 0;
  }

  /// 0: nothing has been counted yet.
  double per_second() const { return rate_; }
  /// It has been counted lately.
  bool current() const { return counted_ > 0; }
  /// How far to go by it, 0 to 1: 1 as soon as half a second has been counted.
  double trust() const { return std::min(1.0, counted_ / kEnough); }
  void restore(double per_second, Time now) {
    rate_ = per_second;
    counted_ = rate_ > 0 ? kEnough : 0;
    last_ = now;
  }

 private:
  static constexpr double kWindow = 0.1;  // seconds: a count takes at least so long
  static constexpr int kStarts = 20;      // and so many starts: fewer vary too much
  static constexpr double kWeight = 0.2;  // of one count: a change of the API's speed is followed within a second
  static constexpr double kEnough = 0.5;  // seconds: then it is a mean of five counts
  static constexpr double kOld = 400;     // starts: a count is old when it says that so many could have been since

  double rate_ = 0;
  double counted_ = 0;  // seconds; 0: not lately
  Time begin_{}, last_{};
  int starts_ = -1;  // since `begin_`; -1: the first one is awaited
};

}  // namespace spillway::admission
