// What the controller tells: Retry-After, the state of its breakers, and every number behind a decision.
#include <algorithm>

#include "proxy/admission/controller.hpp"

namespace spillway::admission {

int Controller::retry_after(const Request& refused, std::uint32_t random, Time now) const {
  if (refused.reason != Reason::breaker) return retry_after_.seconds(random);
  return RetryAfter::seconds_until(next_chance(class_of(refused.class_id), now), random);
}

/// How long until the breaker that refused a request may let one through.
Duration Controller::next_chance(const Class& c, Time now) const {
  const Breaker& breaker = reach_.state() == Breaker::State::closed ? c.breaker : reach_;
  if (breaker.state() != Breaker::State::open) return Duration::zero();  // the trials decide
  const Duration left = breaker.remaining(now);
  if (policy_.poll_interval == Duration::zero()) return left;
  // The next successful poll ends the opening. While polls fail, assume the usual Retry-After.
  const Duration next_poll = poll_healthy_ ? policy_.poll_interval - (now - polled_) : retry_after_.shortest();
  return std::min(left, std::max(next_poll, Duration::zero()));
}

std::optional<BreakerChange> Controller::next_breaker_change() {
  if (!breakers_changed_) return std::nullopt;
  if (const auto change = reach_.take_change()) return BreakerChange{{}, *change};
  for (Class& c : classes_) {
    if (const auto change = c.breaker.take_change()) return BreakerChange{c.policy.name, *change};
  }
  breakers_changed_ = false;
  return std::nullopt;
}

Breaker::State Controller::breaker_state() const {
  Breaker::State worst = reach_.state();
  for (const Class& c : classes_) worst = std::max(worst, c.breaker.state());
  return worst;
}

Snapshot Controller::snapshot(Time now) const {
  Snapshot all{.mode = policy_.mode,
               .in_flight = in_flight_,
               .limit = limit_now_,
               .queue_length = queue_.size(),
               .streams = streams_,
               .elsewhere = elsewhere_,
               .baseline_seconds = limit_.baseline(),
               .latency_seconds = limit_.latency(),
               .pool_capacity_pct = pool_.capacity_pct(in_flight_with_need(), now),
               .breaker = breaker_state(),
               .reach_breaker = reach_.state(),
               .breaker_remaining = reach_.remaining(now),
               .breaker_admission = reach_.admission(limit_.value(), now),
               .retry_after_seconds = retry_after_.level(),
               .keys = clients_.keys(),
               .classes = {}};
  for (const int id : class_ids_) {
    const Class& c = class_of(id);
    all.breaker_remaining = std::max(all.breaker_remaining, c.breaker.remaining(now));
    all.classes.push_back(
        {.name = c.policy.name,
         .share = c.share,
         .reserve = c.reserve,
         .most = c.most,
         .in_flight = c.in_flight,
         .waiting = queue_.length(id),
         .max_concurrent = c.policy.max_concurrent,
         .database_share = c.database.share(),
         .overloaded = queue_.overloaded(id),
         .pool_exhausted = pool_exhausted(id, now),
         .api_sheds = std::ranges::any_of(c.shedding, [now](const ApiShedding& one) { return one.active(now); }),
         .api_has_enough = std::ranges::any_of(c.shedding, [now](const ApiShedding& one) { return one.enough(now); }),
         .breaker = c.breaker.state(),
         .breaker_remaining = c.breaker.remaining(now),
         .breaker_admission = c.breaker.admission(std::max({1, c.share, c.reserve}), now),
         .service_time = c.service_time.last_known(),
         .estimated_wait = estimated_wait(id, now)});
  }
  return all;
}

}  // namespace spillway::admission
