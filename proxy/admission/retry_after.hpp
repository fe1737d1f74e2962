#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "proxy/admission/policy.hpp"

namespace spillway::admission {

/// What `Retry-After` tells a refused client: a fixed time, one of a range, or (`auto`) a time after which the refused
/// clients return at a rate that can be served. If it is too short, most of them are refused again; if it is too long,
/// capacity is idle until they return, all at once.
///
/// `auto` is a proportional controller: each period it compares refusals with admissions and moves the time towards
/// the value that leaves `kWanted` refusals per admission. A period lasts as long as the time that clients are told,
/// since a change has no effect before they return.
class RetryAfter {
 public:
  static constexpr double kLeast = 1, kMost = 32;  ///< seconds

  explicit RetryAfter(const RetryAfterPolicy& policy) : policy_(policy) {}
  void configure(const RetryAfterPolicy& policy) { policy_ = policy; }

  void admitted() { ++admitted_; }
  void refused(Time now) {
    fall_while_quiet(now);
    ++refused_;
    last_refused_ = now;
    rise_or_fall(now);
  }

  /// Whole seconds, at least 1. `random`: uniform 32 bits from the caller, for the jitter: half to the whole of
  /// `level()`, so that clients that are refused together do not return together.
  int seconds(std::uint32_t random) const {
    if (!policy_.automatic) return drawn(whole_seconds(policy_.least), whole_seconds(policy_.most), random);
    const double jittered = level_ * (0.5 + 0.5 * (random >> 8) * 0x1p-24);
    const double rounding = (random & 0xff) * 0x1p-8;  // up as often as down: the mean stays
    return static_cast<int>(std::clamp(std::floor(jittered + rounding), kLeast, kMost));
  }

  /// For a client whose next chance is that far away, if it is known: not before it, and within half as long after
  /// it, at least a second, so that those told together do not come back together.
  static int seconds_until(Duration chance, std::uint32_t random) {
    const int least = whole_seconds(chance);
    return drawn(least, least + std::max(1, least / 2), random);
  }

  /// The shortest that is told.
  Duration shortest() const { return policy_.automatic ? from_seconds(level_ / 2) : policy_.least; }
  double level() const { return level_; }
  void restore(double level, Time now) {
    level_ = std::clamp(level, kLeast, kMost);
    last_refused_ = now;
    begin_period(now);
  }

 private:
  static constexpr double kWanted = 0.1;  // refusals per admission: enough are there to use every slot
  static constexpr double kFastest = 2;   // a period changes the time by this factor at most

  static int whole_seconds(Duration d) { return static_cast<int>(std::max(1.0, std::ceil(in_seconds(d)))); }
  static int drawn(int least, int most, std::uint32_t random) {
    const auto choices = static_cast<std::uint64_t>(std::max(0, most - least)) + 1;
    return least + static_cast<int>(random * choices >> 32);
  }

  void fall_while_quiet(Time now) {
    const double quiet = in_seconds(now - last_refused_);
    if (quiet < 2 * level_) return;  // those told last would be back by now
    level_ = std::max(kLeast, level_ * std::pow(kFastest, -quiet / level_));
    begin_period(now);
  }

  void rise_or_fall(Time now) {
    if (in_seconds(now - period_begin_) < level_) return;
    const double ratio = refused_ / std::max(1.0, admitted_) / kWanted;
    level_ = std::clamp(level_ * std::clamp(std::sqrt(ratio), 1 / kFastest, kFastest), kLeast, kMost);
    begin_period(now);
  }

  void begin_period(Time now) {
    admitted_ = refused_ = 0;
    period_begin_ = now;
  }

  RetryAfterPolicy policy_;
  double level_ = kLeast;
  double admitted_ = 0, refused_ = 0;
  Time period_begin_{}, last_refused_{};
};

}  // namespace spillway::admission
