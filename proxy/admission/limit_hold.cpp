// How the learned limit goes on: it holds, dips, and is put to trial.
#include <algorithm>
#include <cmath>
#include <utility>

#include "proxy/admission/limit.hpp"

namespace spillway::admission {
namespace {

// Hold.
constexpr double kTarget = 0.15;       // wanted excess if all latencies are equal,
constexpr double kPerSpread = 0.33;    // and for each unit of their spread: a short wait is much for the shortest calls
constexpr double kMostSpread = 0.45;   // the spread adds no more than this
constexpr double kSmooth = 0.4;        // gain of the smoothed excess
constexpr double kFall = 0.4;          // part of the excess above the target that the limit falls by (logs)
constexpr double kMostFall = 0.35;     // in one window
constexpr double kRise = 0.1;          // a rise with no excess at all; one more of it for each window in a row,
constexpr double kMostRise = 0.25;     // up to this
constexpr double kSlowRise = 0.25;     // the same where windows take kLong,
constexpr double kMostSlowRise = 0.7;  // up to a doubling
constexpr double kClimb = 0.35;        // a climb (log) that tells whether throughput grew in proportion
constexpr double kNoiseGain = 0.1;
constexpr double kMostNoise = 0.3;  // a greater distance is a change of the API, not noise

// Dips, trials and descents.
constexpr double kJump = 0.25;    // a jump of the excess by this, and three times its noise, is put to trial
constexpr double kFaster = 0.3;   // gain towards a floor that is a little lower than thought
constexpr double kDescent = 0.2;  // a fall of the limit (log) that tells as much as a dip
constexpr double kForget = 0.98;  // factor for each window of where it began: slow falls are no descents

}  // namespace

/// The excess of latency at which the limit rests: a little above the knee.
double Limit::target() const {
  return kTarget + std::min(kMostSpread, kPerSpread * window_.spread());
}

void Limit::hold(const Point& now_at, Time now) {
  const Point last = std::exchange(before_, now_at);
  const double excess = now_at.reading.excess;
  if (slow(now) && smooth_known_ && excess > target() && last.limit > (1 + kChanged) * now_at.limit &&
      below_knee(window_, now_at, last)) {
    return climb_back(last.limit, excess, now);
  }
  if (jumped(now_at)) {
    const int held = std::exchange(held_, limit_);
    if (held > 0 && limit_ > (1 + kChanged) * held) {  // the limit itself has risen beyond the knee
      return move(between({static_cast<double>(held), {.excess = smooth_}}, now_at), Phase::hold, now);
    }
    smooth_ = excess;
    return move(level_, Phase::trial, now);
  }
  smooth(now_at.reading, now);
  if (smooth_ < -now_at.reading.error) raise_floors(kFaster * smooth_);
  if (smooth_ > target() && limit_ <= policy_.min) raise_floors(smooth_);

  Point here = before_;
  here.limit = level_;
  here.reading.excess = smooth_;
  anchor_.limit *= kForget;
  if (level_ > anchor_.limit || smooth_ <= target()) anchor_ = here;
  if (level_ < foot_.limit || foot_.limit == 0 || smooth_ > target()) foot_ = before_;
  if (level_ < anchor_.limit * std::exp(-kDescent) && below_knee(window_, here, anchor_)) {
    return climb_back(anchor_.limit, smooth_, now);
  }
  if (slow(now) && level_ > foot_.limit * std::exp(kClimb) && in_proportion(window_, foot_, before_)) {
    raise_floors(std::max(0.0, smooth_));
    forget();
    return move(2 * level_, Phase::start, now);
  }
  const double step = this->step(now);
  const bool dip = --until_dip_ <= 0 && step < kChanged;
  // A fall and a dip together go deep. The way back from there is long if windows are: first let the dip tell.
  move(dip && slow(now) ? level_ : level_ * std::exp(step), dip ? Phase::dip : Phase::hold, now);
}

bool Limit::jumped(const Point& now_at) const {
  const double excess = now_at.reading.excess;
  return smooth_known_ && excess > target() &&
         excess - smooth_ > std::max(kJump, 3 * std::max(now_at.reading.error, noise_));
}

/// A fall of the limit has ended the queue that it was too high for: else the limit would fall on below the knee.
void Limit::smooth(const LatencyWindow::Reading& reading, Time now) {
  if (smooth_known_ && std::abs(limit_ - held_) <= kChanged * limit_) {
    noise_ += kNoiseGain * (std::min(kMostNoise, std::abs(reading.excess - smooth_)) - noise_);
  }
  if (slow(now) && smooth_known_ && limit_ < held_) {
    const double fell = std::log(static_cast<double>(held_) / limit_);
    smooth_ = std::max(smooth_ - fell, std::min(smooth_, reading.excess));
  }
  held_ = limit_;
  smooth_ = smooth_known_ ? smooth_ + kSmooth * (reading.excess - smooth_) : reading.excess;
  smooth_known_ = true;
}

/// How far the limit moves (log).
double Limit::step(Time now) {
  const double target = this->target();
  if (smooth_ > target) {
    rises_ = 0;
    return std::max(-kMostFall, -kFall * (smooth_ - target));
  }
  ++rises_;
  const double rise = slow(now) ? std::min(kSlowRise * rises_, kMostSlowRise) : std::min(kRise * rises_, kMostRise);
  return rise * (1 - smooth_ / target);
}

/// The limit fell and throughput with it: the latency now is the unloaded one.
void Limit::climb_back(double level, double excess, Time now) {
  raise_floors(excess);
  smooth_ = 0;
  rises_ = 0;
  anchor_ = {};
  until_dip_ = dip_period_ = 1;
  move(level, Phase::hold, now);
}

/// The limit between two at which the excess would meet the target.
double Limit::between(const Point& low, const Point& high) {
  forget();
  const double rose = high.reading.excess - low.reading.excess;
  const double part = rose > 0 ? std::clamp((target() - low.reading.excess) / rose, 0.0, 1.0) : 0;
  return low.limit * std::pow(high.limit / low.limit, part);
}

void Limit::end_dip(const Point& now_at, Time now) {
  const double excess = now_at.reading.excess;
  double level = level_;
  Phase phase = Phase::hold;
  const bool trial = phase_ == Phase::trial;
  dip_period_ = std::min(2 * dip_period_, kDipPeriod);
  if (trial && excess > 0) level = between(now_at, before_);
  if (trial) dip_period_ = 2;
  if (excess < -kSignificant * now_at.reading.error) {
    raise_floors(kMuchFaster * excess);
    if (!trial) dip_period_ = 1;
  } else if (excess < 0) {
    raise_floors(kFaster * excess);
  } else if (excess > target() / 2 && now_at.limit < before_.limit && below_knee(window_, now_at, before_)) {
    level = level_;
    raise_floors(excess);
    dip_period_ = 1;
    if (slow(now) && excess > target()) {  // the start was misled
      before_ = now_at;
      before_.reading.excess -= excess;
      before_.reading.rate += excess;
      level = 2 * now_at.limit;
      phase = Phase::start;
    }
  }
  until_dip_ = dip_period_;
  move(level, phase, now);
}

}  // namespace spillway::admission
