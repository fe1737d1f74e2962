#include "proxy/admission/queue.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace spillway::admission {
namespace {

/// Part of `max_wait` for which a line has places: the rest is for a service that becomes slower meanwhile.
constexpr double kSurelyInTime = 0.95;

/// Until the service rate has been counted for long enough, it may be that much higher than computed. Rather one place
/// too many: its request waits in vain. With one too few a request is lost that could have been served.
constexpr double kUncounted = 1.5;

/// Under standing overload a line has places for this time of service, enough for the slots to find a waiting request.
/// For a slow API, whose slots become free seldom, it is a fifth of the service time.
constexpr double kOverloadWait = 0.020;  // seconds
constexpr double kOverloadWaitOfService = 0.2;
/// But at least so many, if they can be served in time. With fewer, chance alone empties the line of an API that serves
/// some ten requests per second: at a load of 1.2 a fifth of the starts finds a free slot with five places, a
/// thirteenth with ten. Free slots count as the end of the overload, which would begin and end all the time.
constexpr double kOverloadPlaces = 10;
/// A rate that a predecessor has told counts as unknown below it: requests per second.
constexpr double kSlowest = 1e-3;

}  // namespace

void Queue::configure(std::vector<int> best_first, const QueuePolicy& policy, bool cohorts) {
  best_first_ = std::move(best_first);
  lines_.resize(best_first_.size());
  policy_ = policy;
  cohorts_ = cohorts;
  most_ = policy.most();
  for (Line& each : lines_) {
    each.times = OverloadTimes(policy, 0, Duration::zero());
    if (!cohorts) each.cohorts.end();
  }
}

double Queue::service_rate(int class_id) const {
  const Line& own = line(class_id);
  const double counted = own.service.per_second();
  return own.service.current() ? counted : std::max(counted, own.computed_rate);
}

int Queue::ahead_of(int class_id) const {
  int ahead = 0;
  for (const int better : best_first_) {
    if (better == class_id) break;
    ahead += length(better);
  }
  return overloaded(class_id) ? ahead : ahead + length(class_id);
}

void Queue::started(int class_id, bool waited, Time now) {
  line(class_id).overload.started(!waited);
  if (size_ == 0) return;
  bool better = false;  // than the lines that follow, or one of them
  for (const int id : best_first_) {
    better = better || id == class_id;
    if (better && !empty(id)) line(id).service.started(now);
  }
}

void Queue::arrived(int class_id, Time now) {
  Line& own = line(class_id);
  own.arriving.arrived(now, own.times.interval);
  own.asking.arrived(now, own.times.patience);
}

bool Queue::observe(int class_id, double computed, Duration service_time, Time now) {
  Line& own = line(class_id);
  own.computed_rate = computed;
  own.service_time = service_time;
  if (own.empty()) {
    own.computed_before = computed;
    if (!overloaded(class_id)) own.service.idle(now);
  }
  StandingOverload::Rates& rates = own.rates;
  rates = {.served = service_rate(class_id)};
  own.times = OverloadTimes(policy_, rates.served, service_time);
  for (const int id : best_first_) {
    rates.arriving += line(id).arriving.per_second(now, own.times.interval);
    rates.lasting += line(id).asking.per_second(now, own.times.patience);
    if (id == class_id) break;
  }
  const Duration wait = own.empty() ? Duration::zero() : now - own.front()->arrived;
  if (own.cohorts.active()) {
    own.cohorts.observe(rates.arriving / rates.served, wait, policy_.max_wait, now);
    // A computed rate only lets more clients in: it may be many times too high, and then all of them would come.
    if (StandingOverload::over({.lasting = rates.lasting, .served = own.service.per_second()})) own.cohorts.end();
    if (!own.cohorts.active()) own.overload = {};
    return false;
  }
  own.overload.observe(rates, wait, own.times, now);
  if (!cohorts_ || !own.overload.standing()) return false;
  own.cohorts.begin(rates.served, rates.lasting, now);
  return own.cohorts.active();
}

/// Waiting requests, those of better classes included, for which a line has places. At least one, so that a slot finds
/// somebody.
double Queue::places(int class_id) const {
  const Line& own = line(class_id);
  // What slows the API down as a burst begins makes the service time long and the first count low.
  const double hoped = kUncounted * std::max(own.computed_before, own.computed_rate);
  const double counted = own.service.per_second();
  const double rate = std::max(counted, hoped + own.service.trust() * (counted - hoped));
  if (rate == 0) return std::numeric_limits<double>::infinity();
  const double in_time = rate * kSurelyInTime * in_seconds(policy_.max_wait);
  if (!overloaded(class_id)) return std::max(1.0, in_time);
  const double wait = std::max(kOverloadWait, kOverloadWaitOfService * in_seconds(own.service_time));
  return std::max(1.0, std::min(std::max(rate * wait, kOverloadPlaces), in_time));
}

bool Queue::takes(int class_id, Time now) {
  return ahead_of(class_id) + 1 <= places(class_id) && !refuses_early(class_id, now);
}

/// Only where nobody of a lower class waits, who would lose a place first. Cohorts refuse clients, not requests.
bool Queue::refuses_early(int class_id, Time now) {
  Line& own = line(class_id);
  const Request* last = this->last();
  if (cohorts_ || overloaded(class_id) || own.service.trust() < 1) return false;
  if (last && last->class_id != class_id) return false;
  return own.early.refuses(ahead_of(class_id) + 1, own.rates, own.times, now);
}

Request* Queue::surplus() const {
  int waiting = 0;
  for (const int id : best_first_) {
    waiting += length(id);
    if (!empty(id) && overloaded(id) && waiting > places(id)) return line(id).front();
  }
  return nullptr;
}

void Queue::push(Request& request) {
  Line& own = line(request.class_id);
  if (own.empty()) own.service.waiting();
  own.push_back(request);
  ++size_;
}

void Queue::remove(Request& request) {
  line(request.class_id).erase(request);
  --size_;
}

Request& Queue::next(int class_id) const {
  return overloaded(class_id) ? *line(class_id).back() : *line(class_id).front();
}

Request* Queue::victim_for(int class_id) const {
  Request* victim = last();
  if (!victim) return nullptr;
  if (victim->class_id == class_id) return overloaded(class_id) ? victim : nullptr;
  for (const int better : best_first_) {
    if (better == victim->class_id) return nullptr;  // all waiting requests are of better classes than the arrival
    if (better == class_id) break;
  }
  return victim;
}

Queue::Learned Queue::learned(int class_id, Time now) const {
  const Line& own = line(class_id);
  return {.arriving = own.arriving.per_second(now, own.times.interval),
          .asking = own.asking.per_second(now, own.times.patience),
          .served = own.service.per_second(),
          .standing = own.overload.standing(),
          .threshold = own.cohorts.value()};
}

void Queue::restore(int class_id, const Learned& learned, Time now) {
  Line& own = line(class_id);
  own.arriving.restore(learned.arriving, now);
  own.asking.restore(learned.asking, now);
  own.service.restore(learned.served < kSlowest ? 0 : learned.served, now);
  own.overload.restore(learned.standing);
  if (cohorts_) own.cohorts.restore(learned.threshold, now);
}

Request* Queue::last() const {
  for (auto lowest = best_first_.rbegin(); lowest != best_first_.rend(); ++lowest) {
    if (empty(*lowest)) continue;
    return overloaded(*lowest) ? line(*lowest).front() : line(*lowest).back();
  }
  return nullptr;
}

}  // namespace spillway::admission
