#include "proxy/admission/limit.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace spillway::admission {
namespace {

constexpr double kInitial = 20;  // below most APIs' capacity, and doubled within a few windows where it is not
constexpr Duration kHungry = std::chrono::milliseconds(100);  // nobody waits longer for the very first answer to come
constexpr double kSaturated = 0.75;  // from this share of waiting arrivals on, the limit decides about throughput
constexpr double kIdle = 0.1;        // seconds without a request in flight after which a window starts anew,
constexpr int kIdleLatencies = 5;    // but so many latencies at least

// Windows.
constexpr int kFirst = 20;        // answers of the first window: the earliest ones have queued least
constexpr int kAnswers = 50;      // least answers of a window
constexpr double kError = 0.065;  // answers suffice when the standard error of the excess is below this,
constexpr double kShort = 0.1;    // but for so many seconds at least: less is noise at any rate;
constexpr double kTurnovers = 4;  // and until most slots have had new calls so many times, or kLong is over

// Dips, trials, and what else moves it.
constexpr double kDip = 0.8;         // factor of the limit: below the knee if the limit is right, and hardly more
constexpr double kTrial = 0.65;      // deep enough to tell a queue from slower calls in one window
constexpr double kIdleDrift = 0.05;  // gain of the floors while nobody waits
constexpr double kShedShare = 0.1;   // from this share of shed answers on, the API is overloaded; fewer are a burst
constexpr double kShedCut = 0.9;     // factor of the limit for a window in which it is
constexpr int kShedAnswers = 10;     // least answers of a long window with shed ones: little is sent to such an API

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
  before_ = anchor_ = foot_ = {};
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
    forget();
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

/// Windows take so long that a limit that is too low costs many answers before it has risen again.
bool Limit::slow(Time now) const {
  return in_seconds(now - window_.begun()) >= kLong;
}

/// What was seen lately says nothing about what comes now.
void Limit::forget() {
  smooth_known_ = false;
  anchor_ = foot_ = {};
  rises_ = 0;
}

void Limit::raise_floors(double by) {
  window_.raise_floors(by);
  smooth_ -= by;
  for (Point* point : {&before_, &anchor_, &foot_}) {
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
