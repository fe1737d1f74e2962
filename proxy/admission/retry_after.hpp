#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include "proxy/net/clock.hpp"

namespace spillway::admission {

/// What `Retry-After` tells a refused client: a fixed time, or (`auto`) as long as it takes for the refused ones to
/// come back at a rate that finds room. Too short, and most of them come in vain; too long, and capacity lies idle
/// until they come together.
///
/// `auto` is a proportional controller: per period it compares refusals with admissions and moves the time towards
/// the value that leaves `kWanted` refusals per admission. A period lasts as long as the time it hands out, since
/// nothing of a change can be seen before the clients told of it come back.
class RetryAfter {
 public:
  static constexpr double kLeast = 1, kMost = 32;  ///< seconds

  /// `fixed` as configured, or nothing for `auto`.
  explicit RetryAfter(std::optional<Duration> fixed = {}) : fixed_(fixed) {}
  void configure(std::optional<Duration> fixed) { fixed_ = fixed; }

  void admitted() { ++admitted_; }
  void refused(Time now) {
    fall_while_quiet(now);
    ++refused_;
    last_refused_ = now;
    rise_or_fall(now);
  }

  /// Whole seconds, at least 1. `random`: uniform 32 bits from the caller, for the jitter: half to the whole of
  /// `level()`, so that clients refused together do not come back together.
  int seconds(std::uint32_t random) const {
    if (fixed_) return static_cast<int>(std::max(1.0, std::ceil(seconds_of(*fixed_))));
    const double jittered = level_ * (0.5 + 0.5 * (random >> 8) * 0x1p-24);
    const double rounding = (random & 0xff) * 0x1p-8;  // up as often as down: the mean stays
    return static_cast<int>(std::clamp(std::floor(jittered + rounding), kLeast, kMost));
  }

  double level() const { return level_; }

 private:
  static constexpr double kWanted = 0.1;  // refusals per admission: enough are there to use every slot
  static constexpr double kFastest = 2;   // a period changes the time by this factor at most

  static double seconds_of(Duration d) { return std::chrono::duration<double>(d).count(); }

  void fall_while_quiet(Time now) {
    const double quiet = seconds_of(now - last_refused_);
    if (quiet < 2 * level_) return;  // those told last would be back by now
    level_ = std::max(kLeast, level_ * std::pow(kFastest, -quiet / level_));
    begin_period(now);
  }

  void rise_or_fall(Time now) {
    if (seconds_of(now - period_begin_) < level_) return;
    const double ratio = refused_ / std::max(1.0, admitted_) / kWanted;
    level_ = std::clamp(level_ * std::clamp(std::sqrt(ratio), 1 / kFastest, kFastest), kLeast, kMost);
    begin_period(now);
  }

  void begin_period(Time now) {
    admitted_ = refused_ = 0;
    period_begin_ = now;
  }

  std::optional<Duration> fixed_;
  double level_ = kLeast;
  double admitted_ = 0, refused_ = 0;
  Time period_begin_{}, last_refused_{};
};

}  // namespace spillway::admission
