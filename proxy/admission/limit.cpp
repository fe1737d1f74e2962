#include "proxy/admission/limit.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace spillway::admission {
namespace {

constexpr double kInitial = 20;  // below most APIs' capacity, and doubled within a few windows where it is not
constexpr Duration kHungry = std::chrono::milliseconds(100);  // nobody waits longer for the very first answer to come
constexpr double kSaturated = 0.75;  // from this share of waiting arrivals on, the limit decides about throughput
constexpr double kChanged = 0.05;    // a limit that moves by less of itself needs no time to settle
constexpr double kIdle = 0.1;        // seconds without a request in flight after which a window starts anew,
constexpr int kIdleLatencies = 5;    // but so many latencies at least

// Windows.
constexpr int kFirst = 20;        // answers of the first window: the earliest ones have queued least
constexpr int kAnswers = 50;      // least answers of a window
constexpr double kError = 0.065;  // answers suffice when the standard error of the excess is below this,
constexpr double kShort = 0.1;    // but for so many seconds at least: less is noise at any rate;
constexpr double kTurnovers = 4;  // and until most slots have had new calls so many times,
constexpr double kLong = 1;       // unless the window has lasted so many seconds and two answers for each slot

// Start.
constexpr double kQueues = 0.35;       // throughput that grows by so much (log) less than the limit has met the knee,
constexpr double kSure = 2;            // if so many standard errors say so, else doubling goes on
constexpr double kGrew = 0.1;          // from this growth (log) on, nothing queued at the lower limit
constexpr double kInProportion = 0.3;  // less missing growth than this part of the limit's: nothing queues now either
constexpr double kQueuesAtOnce = 0.4;  // so much excess is a queue uncompared if calls are equally long; else also
constexpr double kSlowSpreads = 2;     // the spread of the latencies more, or so many where windows take kLong,
constexpr double kDoubt = 3;           // and so many standard errors: the first window knows short calls only
constexpr double kHeadroom = 1.1;      // above the knee, then,
constexpr double kOptimism = 0.5;      // and so many standard errors: a limit too low costs more than one too high,
constexpr double kSlowOptimism = 4;    // the more so where windows take kLong: the way up takes many

// Hold.
constexpr double kTarget = 0.15;      // wanted excess if all latencies are equal,
constexpr double kPerSpread = 0.33;   // and for each unit of their spread: a short wait is much for the shortest calls
constexpr double kMostSpread = 0.45;  // the spread adds no more than this
constexpr double kSmooth = 0.4;       // gain of the smoothed excess
constexpr double kFall = 0.4;         // part of the excess above the target that the limit falls by (logs)
constexpr double kMostFall = 0.35;    // in one window
constexpr double kRise = 0.1;         // a rise with no excess at all; one more of it for each window in a row,
constexpr double kMostRise = 0.25;    // up to this, and as much at once where windows take kLong
constexpr double kNoiseGain = 0.1;
constexpr double kMostNoise = 0.3;  // a greater distance is a change of the API, not noise

// Dips and trials.
constexpr double kDip = 0.8;             // factor of the limit: below the knee if the limit is right, and hardly more
constexpr double kTrial = 0.65;          // deep enough to tell a queue from slower calls in one window
constexpr double kJump = 0.25;           // a jump of the excess by this, and three times its noise, is put to trial
constexpr int kDipPeriod = 20;           // windows between dips once they show nothing new
constexpr double kFaster = 0.3;          // gain towards a floor that is a little lower than thought,
constexpr double kMuchFaster = 0.6;      // and one that is lower by
constexpr double kSignificant = 2;       // standard errors
constexpr double kIdleDrift = 0.05;      // gain of the floors while nobody waits
constexpr double kDescent = 0.2;         // a fall of the limit (log) that tells as much as a dip
constexpr double kForget = 0.98;         // factor for each window of where it began: slow falls are no descents
constexpr double kBelowKnee = 0.3;       // from this share of a fall of the limit that throughput shared
constexpr double kLeastVariance = 1e-3;  // of throughput and latency: no measurement is without noise

constexpr double kShedShare = 0.1;  // from this share of shed answers on, the API is overloaded; fewer are a burst
constexpr double kShedCut = 0.9;    // factor of the limit for a window in which it is
constexpr int kShedAnswers = 10;    // least answers of a long window with shed ones: little is sent to such an API

}  // namespace

Limit::Limit(const AdaptivePolicy& policy, int max) : policy_(policy), max_(max), limit_(max), level_(max) {
  if (policy_.enabled) move(kInitial, Phase::start, Time{});
}

void Limit::configure(const AdaptivePolicy& policy, int max) {
  if (policy.enabled != policy_.enabled) {
    *this = Limit(policy, max);
  } else {
    policy_ = policy;
    max_ = max;
    if (policy_.enabled) {
      move(level_, phase_, last_answer_);
    } else {
      limit_ = max;
    }
  }
}

Limit::Learned Limit::learned() const {
  return {.enabled = policy_.enabled && read_,
          .level = level_,
          .found = phase_ != Phase::start,
          .smooth_known = smooth_known_,
          .smooth = smooth_,
          .noise = noise_,
          .held = held_,
          .rises = rises_,
          .until_dip = until_dip_,
          .dip_period = dip_period_,
          .window = window_.learned()};
}

void Limit::restore(const Learned& learned, Time now) {
  if (!policy_.enabled || !learned.enabled) return;
  answered_ = read_ = true;
  smooth_known_ = learned.smooth_known;
  smooth_ = learned.smooth;
  noise_ = learned.noise;
  held_ = learned.held;
  rises_ = std::max(0, learned.rises);
  dip_period_ = std::clamp(learned.dip_period, 1, kDipPeriod);
  until_dip_ = std::clamp(learned.until_dip, 0, dip_period_);
  before_ = anchor_ = {};
  window_.restore(learned.window);
  move(learned.level, learned.found ? Phase::hold : Phase::start, now);
  begin_anew(now);
}

void Limit::begin_anew(Time now) {
  if (!policy_.enabled || !answered_) return;
  last_answer_ = now;
  settling_ = limit_;
  filling_ = false;
  restart_window(now);
}

double Limit::latency() const {
  return window_.floor_seconds() * std::exp(smooth_);
}

void Limit::kept_waiting(Time now) {
  ++kept_waiting_;
  if (!policy_.enabled) return;
  if (!answered_) {
    if (hungry_since_ == Time{}) hungry_since_ = now;
    if (now - hungry_since_ >= kHungry) move(level_ + 1, Phase::start, now);
  } else if (filling_ && read_) {
    filling_ = false;
    settling_ = limit_;
    restart_window(now);
  }
}

void Limit::learn(int class_id, Duration latency, Time now) {
  if (!policy_.enabled) return;
  const double taken = in_seconds(latency);
  const double idle = in_seconds(now - last_answer_) - taken;
  last_answer_ = now;
  if (!answered_) {
    answered_ = true;
    settling_ = 0;
    restart_window(now);
  } else if (idle > std::max(kIdle, kIdleLatencies * taken)) {
    settling_ = read_ ? 2 * limit_ : 0;  // the first answers after an idle time are all short ones
    restart_window(now);
  }
  if (settling_ > 0) {
    if (--settling_ == 0) restart_window(now);
    return;
  }
  window_.add(class_id, taken);
  close_if_complete(now);
}

void Limit::shed(Time now) {
  if (!policy_.enabled) return;
  if (window_.answers() + shed_ == 0) restart_window(now);
  ++shed_;
  close_if_complete(now);
}

double Limit::answers_wanted(double elapsed) const {
  if (shed_ > 0 && elapsed >= kLong) return kShedAnswers;
  if (!read_) return kFirst;
  if (phase_ == Phase::start) {
    return std::max(elapsed < kLong ? kAnswers : kFirst, limit_);
  }
  const double for_error = std::pow(window_.spread() / kError, 2);
  const double wanted = std::max<double>({kAnswers * 1.0, limit_ * 1.0, for_error});
  return elapsed < kLong ? wanted : std::min(wanted, std::max<double>(kAnswers, 2 * limit_));
}

void Limit::close_if_complete(Time now) {
  const double elapsed = in_seconds(now - window_.begun());
  const int answers = window_.answers();
  if (elapsed <= 0 || answers + shed_ < answers_wanted(elapsed)) return;
  if (phase_ != Phase::start && elapsed < std::clamp(kTurnovers * window_.turnover(), kShort, kLong)) return;

  const Point now_at{static_cast<double>(limit_), window_.read(now)};
  if (shed_ >= kShedShare * (answers + shed_)) {
    smooth_known_ = false;
    anchor_ = {};
    move(level_ * kShedCut, Phase::hold, now);
  } else if (!read_) {
    read_ = true;
    filling_ = false;
    settling_ = std::max(0, limit_ - answers);
    restart_window(now);
  } else if (filling_ || kept_waiting_ < kSaturated * answers) {
    if (kept_waiting_ == 0) window_.follow(kIdleDrift);
    filling_ = false;
    if (phase_ == Phase::start) {
      restart_window(now);
    } else {
      move(level_, Phase::hold, now);
    }
  } else if (phase_ == Phase::start) {
    start(now_at, now);
  } else if (phase_ == Phase::hold) {
    hold(now_at, now);
  } else {
    end_dip(now_at, now);
  }
}

/// Doubles the limit until throughput surely grows less than the limit. Then starts with the limit that the throughput
/// needs. Limits that lie further apart tell more, so that doubt ends by itself.
void Limit::start(Point now_at, Time now) {
  const bool compared = before_.limit > 0;
  const double raised = compared ? std::log(now_at.limit / before_.limit) : 0;
  const Growth growth = compared ? this->growth(before_, now_at) : Growth{};
  const double missing = raised - growth.by, error = now_at.reading.error;
  const double queue = kQueuesAtOnce + (slow(now) ? kSlowSpreads : 1) * window_.spread() + kDoubt * error;
  const bool full = compared ? missing > kQueues : now_at.reading.excess > queue;
  const bool sure = !compared || std::abs(missing - kQueues) > kSure * growth.error;

  // What is wrong with the floors: the first window knows short calls only, as long ones have not ended. If calls take
  // as long as windows, the next ones do not know them all, either: they lower the floors only if they are sure.
  const LatencyWindow::Reading& unloaded = before_.reading;
  const bool known = !slow(now) || unloaded.excess > 0 || unloaded.excess < -kSignificant * unloaded.error;
  double wrong = growth.by > kGrew && known ? unloaded.excess : 0;
  const double excess = now_at.reading.excess - wrong;
  if (compared && excess > 0 && missing < kInProportion * raised) wrong += excess;
  if (excess < -kSignificant * error) wrong += kMuchFaster * excess;
  raise_floors(wrong);
  now_at.reading.excess -= wrong;
  now_at.reading.rate += wrong;

  if (limit_ < max_ && !(full && sure)) {
    if (sure) before_ = now_at;
    return move(2 * now_at.limit, Phase::start, now);
  }
  double level = level_;
  if (full && !compared) level *= std::exp(std::min(0.0, target() - now_at.reading.excess));
  if (full && compared) {
    const double needed = std::max(0.0, growth.by + (slow(now) ? kSlowOptimism : kOptimism) * growth.error);
    level = std::min(level, before_.limit * std::exp(needed) * kHeadroom);
  }
  move(level, Phase::hold, now);
}

/// The excess of latency at which the limit rests: a little above the knee.
double Limit::target() const {
  return kTarget + std::min(kMostSpread, kPerSpread * window_.spread());
}

void Limit::hold(const Point& now_at, Time now) {
  before_ = now_at;
  if (jumped(now_at)) {
    const int held = std::exchange(held_, limit_);
    if (held > 0 && limit_ > (1 + kChanged) * held) {  // the limit itself has risen beyond the knee
      return move(between({static_cast<double>(held), {.excess = smooth_}}, now_at), Phase::hold, now);
    }
    smooth_ = now_at.reading.excess;
    return move(level_, Phase::trial, now);
  }
  const double step = this->step(now_at, now);
  const bool dip = --until_dip_ <= 0 && step < kChanged;
  // A fall and a dip together go deep. The way back from there is long if windows are: first let the dip tell.
  move(dip && slow(now) ? level_ : level_ * std::exp(step), dip ? Phase::dip : Phase::hold, now);
}

bool Limit::jumped(const Point& now_at) const {
  const double excess = now_at.reading.excess;
  return smooth_known_ && excess > target() &&
         excess - smooth_ > std::max(kJump, 3 * std::max(now_at.reading.error, noise_));
}

/// Windows take so long that a limit that is too low costs many answers before it has risen again.
bool Limit::slow(Time now) const {
  return in_seconds(now - window_.begun()) >= kLong;
}

/// How far the limit moves (log).
double Limit::step(const Point& now_at, Time now) {
  const double excess = now_at.reading.excess;
  if (smooth_known_ && std::abs(limit_ - held_) <= kChanged * limit_) {
    noise_ += kNoiseGain * (std::min(kMostNoise, std::abs(excess - smooth_)) - noise_);
  }
  held_ = limit_;
  smooth_ = smooth_known_ ? smooth_ + kSmooth * (excess - smooth_) : excess;
  smooth_known_ = true;
  Point here = now_at;
  here.limit = level_;
  here.reading.excess = smooth_;
  const double target = this->target();
  if (smooth_ < -now_at.reading.error) raise_floors(kFaster * smooth_);
  if (smooth_ > target && limit_ <= policy_.min) raise_floors(smooth_);

  anchor_.limit *= kForget;
  if (level_ > anchor_.limit || smooth_ <= target) anchor_ = here;
  if (smooth_ <= target) {
    const double rise = slow(now) ? kMostRise : std::min(kRise * ++rises_, kMostRise);
    return rise * (1 - smooth_ / target);
  }
  rises_ = 0;
  if (level_ < anchor_.limit * std::exp(-kDescent) && below_knee(here, anchor_)) {
    raise_floors(smooth_);
    until_dip_ = dip_period_ = 1;
    return std::log(std::exchange(anchor_, Point{}).limit / level_);
  }
  return std::max(-kMostFall, -kFall * (smooth_ - target));
}

/// How much throughput grew (log) from one limit to a higher one. By Little's law latency says the same, but not with
/// the same noise: each counts by its precision.
Limit::Growth Limit::growth(const Point& low, const Point& high) const {
  const double apart = std::log(high.limit / low.limit);
  const double by_rate = std::clamp((high.reading.rate - low.reading.rate) / apart, -0.5, 1.5);
  const double by_latency = std::clamp(1 - (high.reading.excess - low.reading.excess) / apart, -0.5, 1.5);
  const double rate_weight = 1 / (window_.variance() + kLeastVariance);
  const double latency_weight = 1 / (std::pow(window_.spread(), 2) + kLeastVariance);
  const double weight = rate_weight + latency_weight;
  const double variance = (1.0 / low.reading.answers + 1.0 / high.reading.answers) / weight;
  return {.by = apart * (rate_weight * by_rate + latency_weight * by_latency) / weight, .error = std::sqrt(variance)};
}

/// Whether throughput fell with the limit rather than latency.
bool Limit::below_knee(const Point& low, const Point& high) const {
  return growth(low, high).by > kBelowKnee * std::log(high.limit / low.limit);
}

/// The limit between two at which the excess would meet the target.
double Limit::between(const Point& low, const Point& high) {
  smooth_known_ = false;
  anchor_ = {};
  rises_ = 0;
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
  } else if (excess > target() / 2 && now_at.limit < before_.limit && below_knee(now_at, before_)) {
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

void Limit::raise_floors(double by) {
  window_.raise_floors(by);
  smooth_ -= by;
  for (Point* point : {&before_, &anchor_}) {
    point->reading.excess -= by;
    point->reading.rate += by;
  }
}

void Limit::restart_window(Time now) {
  window_.begin(now);
  shed_ = kept_waiting_ = 0;
}

void Limit::move(double level, Phase phase, Time now) {
  const int was = limit_, least = std::min(policy_.min, max_);
  phase_ = phase;
  level_ = std::clamp<double>(level, least, max_);
  const double factor = phase == Phase::dip ? kDip : phase == Phase::trial ? kTrial : 1;
  limit_ = std::clamp(static_cast<int>(std::lround(level_ * factor)), least, max_);
  const bool changed = std::abs(limit_ - was) > kChanged * limit_;
  settling_ = changed ? std::max(was, limit_) : 0;
  filling_ = changed && limit_ > was;
  restart_window(now);
}

}  // namespace spillway::admission
