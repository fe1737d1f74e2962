#include "proxy/admission/controller.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

namespace spillway::admission {
namespace {

/// A class needs its reserve for as long after an arrival: long enough for a class with a few requests per second to
/// keep it, short enough for one that went quiet to lend its slots soon.
constexpr Duration kReserveKept = std::chrono::seconds(1);

/// A class that the API has answered within this is being served.
constexpr Duration kServedLately = std::chrono::seconds(1);

/// The policy of the breaker for all: it counts connects, which are not slow but late.
BreakerPolicy reach_policy(const Policy& policy) {
  BreakerPolicy reach = policy.breaker;
  reach.slow_call = Duration::zero();
  return reach;
}

std::size_t most_keys(const Policy& policy) {
  return static_cast<std::size_t>(policy.max_concurrent) + static_cast<std::size_t>(policy.queue.max_length);
}

}  // namespace

Controller::Controller(Policy policy)
    : limit_(policy.adaptive, policy.max_concurrent),
      reach_(reach_policy(policy)),
      keys_(most_keys(policy)),
      retry_after_(policy.retry_after) {
  adopt(std::move(policy), Time{});
}

Request::State Controller::arrive(Request& request, Time now) {
  assert(request.state == Request::State::fresh);
  request.arrived = now;
  request.class_id = class_id_of(request.class_index);
  request.shadow_refused = false;
  class_of(request.class_id).needed_until = now + kReserveKept;
  update_limit(now);
  serve_waiting(now);  // time alone may have freed a reserved slot, and nobody is to be overtaken

  if (policy_.mode == Mode::off) return admit(request, now);
  // The API fails this class, or is gone: nobody is sent there, but for the few that try whether it does still.
  if (!circuit_closed(request, now)) return turn_away(request, Reason::breaker, now);
  // The answer would come when the client has gone: the work is better spent on another.
  if (too_late(request, now)) return turn_away(request, Reason::deadline, now);
  // A slot here would only be a wait for a database connection there.
  if (pool_exhausted(request.class_id, now)) return turn_away(request, Reason::pool, now);
  // The API would turn it away itself: it has all of this class that it takes.
  if (api_has_enough(request.class_id, now)) return turn_away(request, Reason::capacity, now);
  // Its class's share of the limit is not used up: the normal case.
  if (may_start(request.class_id, now)) return admit(request, now);

  // From here on somebody has to go without. First who has most,
  const Class& c = class_of(request.class_id);
  if (limit() == limit_.value() && c.most == limit()) limit_.kept_waiting();  // else a breaker keeps it waiting
  if (over_fair_share(request)) return turn_away(request, Reason::fairness, now);
  // then who could only wait for nothing,
  if (!may_wait(request.class_id)) return turn_away(request, Reason::capacity, now);
  // then the last in line: the queue is there for bursts.
  return wait(request, now);
}

void Controller::reached(Request& request, Time now) {
  assert(request.state == Request::State::admitted);
  reach_.ended(std::exchange(request.reach_pass, {}), Breaker::Result::success, Duration::zero(), now);
  note(reach_);
  update_limit(now);
}

void Controller::finish(Request& request, Completion completion, Time now) {
  assert(request.state == Request::State::admitted);
  request.state = Request::State::fresh;
  --in_flight_;
  request.shadow_refused ? --in_flight_refused_in_shadow_ : --class_of(request.class_id).in_flight;
  release_key(request);
  learn(request, completion, now);
  update_limit(now);
  serve_waiting(now);
}

void Controller::abandon(Request& request) {
  assert(request.state == Request::State::waiting);
  room_.leave(request);
  release_key(request);
  request.state = Request::State::fresh;
}

void Controller::tick(Time now) {
  reach_.tick(now);
  note(reach_);
  for (Class& c : classes_) {
    c.breaker.tick(now);
    note(c.breaker);
  }
  update_limit(now);
  for (const int id : room_.best_first()) room_.observe(id, now);
  serve_waiting(now);
}

void Controller::configure(Policy policy, Time now) {
  limit_.configure(policy.adaptive, policy.max_concurrent);
  reach_.configure(reach_policy(policy));
  note(reach_);
  keys_.reserve(most_keys(policy));
  retry_after_.configure(policy.retry_after);
  adopt(std::move(policy), now);

  for (const int id : room_.best_first()) {
    while (!room_.empty(id) && policy_.mode != Mode::enforce) serve(*room_.oldest(id), now);
    while (!room_.empty(id) && !may_wait(id)) give_up(*room_.oldest(id), Reason::capacity, now);
  }
  while (room_.size() > policy_.queue.max_length) give_up(*room_.last_in_line(), Reason::queue_full, now);
  tick(now);
}

void Controller::refuse_waiting(Reason reason) {
  for (const int id : room_.best_first()) refuse_waiting(id, reason);
}

void Controller::refuse_waiting(int class_id, Reason reason) {
  while (Request* request = room_.oldest(class_id)) {
    room_.leave(*request);
    release_key(*request);
    request->reason = reason;
    request->state = Request::State::refused;
    decided_.push_back(*request);
  }
}

void Controller::observe(const PoolReport& report, Time now) {
  pool_.report(report, in_flight_, now);
  serve_waiting(now);
}

void Controller::polled(bool healthy, Time now) {
  polled_ = now;
  poll_healthy_ = healthy;
  if (!healthy) return;
  reach_.health_succeeded(now);
  note(reach_);
  for (Class& c : classes_) {
    c.breaker.health_succeeded(now);
    note(c.breaker);
  }
}

Request* Controller::next_decided() {
  Request* request = decided_.first();
  if (request) decided_.remove(*request);
  return request;
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

int Controller::retry_after(const Request& refused, std::uint32_t random, Time now) const {
  if (refused.reason != Reason::breaker) return retry_after_.seconds(random);
  return RetryAfter::seconds_until(next_chance(class_of(refused.class_id), now), random);
}

/// How long until somebody refused by a breaker may be let through.
Duration Controller::next_chance(const Class& c, Time now) const {
  const Breaker& breaker = reach_.state() == Breaker::State::closed ? c.breaker : reach_;
  if (breaker.state() != Breaker::State::open) return Duration::zero();  // as soon as the trials are over
  const Duration left = breaker.remaining(now);
  if (policy_.poll_interval == Duration::zero()) return left;
  // The next poll may end the opening. While polls fail nobody knows which one will: the usual time is as good as any.
  const Duration next_poll = poll_healthy_ ? policy_.poll_interval - (now - polled_) : retry_after_.shortest();
  return std::min(left, std::max(next_poll, Duration::zero()));
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
               .queue_length = room_.size(),
               .baseline_seconds = limit_.baseline(),
               .latency_seconds = limit_.latency(),
               .pool_capacity_pct = pool_.capacity_pct(in_flight_, now),
               .breaker = breaker_state(),
               .reach_breaker = reach_.state(),
               .breaker_remaining = reach_.remaining(now),
               .breaker_admission = reach_.admission(now),
               .retry_after_seconds = retry_after_.level(),
               .keys = keys_.keys(),
               .classes = {}};
  for (const int id : class_ids_) {
    const Class& c = class_of(id);
    all.breaker_remaining = std::max(all.breaker_remaining, c.breaker.remaining(now));
    all.classes.push_back({.name = c.policy.name,
                           .share = c.share,
                           .reserve = c.reserve,
                           .most = c.most,
                           .in_flight = c.in_flight,
                           .waiting = room_.length(id),
                           .overloaded = room_.overloaded(id),
                           .pool_exhausted = pool_exhausted(id, now),
                           .api_sheds = c.shedding.active(now),
                           .api_has_enough = c.shedding.enough(now),
                           .breaker = c.breaker.state(),
                           .breaker_remaining = c.breaker.remaining(now),
                           .breaker_admission = c.breaker.admission(now),
                           .service_time = c.service_time.typical(now),
                           .estimated_wait = estimated_wait(id, now)});
  }
  return all;
}

int Controller::class_id_of(int class_index) const {
  const auto index = static_cast<std::size_t>(class_index);
  return index < class_ids_.size() ? class_ids_[index] : class_ids_.front();
}

bool Controller::circuit_closed(const Request& request, Time now) {
  Breaker& of_class = class_of(request.class_id).breaker;
  // A trial connect is short whatever the client sends: the request ends it itself, see `reached`.
  const bool closed = reach_.allows(true, now) && of_class.allows(request.body_at_hand, now);
  note(reach_);
  note(of_class);
  return closed;
}

bool Controller::too_late(const Request& request, Time now) const {
  if (request.deadline == Time::max()) return false;
  const Duration service = class_of(request.class_id).service_time.typical(now);
  return now + estimated_wait(request.class_id, now) + service > request.deadline;
}

bool Controller::pool_exhausted(int class_id, Time now) const {
  const double shed_at = class_of(class_id).policy.shed_at;
  // A class without a share is refused for that, not because an idle pool has reached nothing.
  return policy_.pool_aware && shed_at > 0 && pool_.exhausted(shed_at, in_flight_, now);
}

bool Controller::may_start(int class_id, Time now) const {
  const Class& c = class_of(class_id);
  const int occupied = this->occupied();
  if (c.share == 0 || occupied >= limit() || c.in_flight >= c.most) return false;
  return c.in_flight < c.reserve || (occupied < c.share && occupied + held_for_others(class_id, now) < limit());
}

/// What waits counts like what is in flight: else one client could fill the queue.
bool Controller::over_fair_share(const Request& request) const {
  return request.key != 0 && keys_.count(request.key) >= share_of(policy_.fairness.share, limit());
}

/// Nobody waits in `shadow`: there is nothing to wait for. Nor for trials, which find their slot or are pointless.
bool Controller::may_wait(int class_id) const {
  return policy_.mode == Mode::enforce && class_of(class_id).share > 0 && policy_.queue.max_length > 0 &&
         policy_.queue.max_wait > Duration::zero() && reach_.state() == Breaker::State::closed &&
         class_of(class_id).breaker.state() == Breaker::State::closed;
}

/// Slots taken. In `shadow`, what would have been refused takes none, so that the counts are those of `enforce`.
int Controller::occupied() const {
  return policy_.mode == Mode::shadow ? in_flight_ - in_flight_refused_in_shadow_ : in_flight_;
}

/// Free slots that only other classes may take. One is left in any case.
int Controller::held_for_others(int class_id, Time now) const {
  int held = 0;
  for (const int other : room_.best_first()) {
    const Class& c = class_of(other);
    const bool needed = now < c.needed_until || !room_.empty(other);
    if (other != class_id && needed) held += std::max(0, c.reserve - c.in_flight);
  }
  return std::min(held, limit() - 1);
}

/// How long an arrival of the class would wait: for as many slots to become free as are ahead of it, itself included;
/// newest first, only better classes are ahead.
Duration Controller::estimated_wait(int class_id, Time now) const {
  if (may_start(class_id, now)) return Duration::zero();
  int ahead = 1;
  for (const int better : room_.best_first()) {
    if (better == class_id) break;
    ahead += room_.length(better);
  }
  if (!room_.overloaded(class_id)) ahead += room_.length(class_id);
  return service_time_.typical(now) * ahead / limit();
}

Request::State Controller::admit(Request& request, Time now) {
  Class& c = class_of(request.class_id);
  ++in_flight_;
  request.shadow_refused ? ++in_flight_refused_in_shadow_ : ++c.in_flight;
  request.admitted = now;
  request.reach_pass = reach_.started(true, now);
  request.pass = c.breaker.started(request.body_at_hand, now);
  if (!request.shadow_refused) c.shedding.sent(now);
  retry_after_.admitted();
  hold_key(request);
  return request.state = Request::State::admitted;
}

Request::State Controller::turn_away(Request& request, Reason reason, Time now) {
  request.reason = reason;
  retry_after_.refused(now);
  if (policy_.mode == Mode::enforce) return request.state = Request::State::refused;
  request.shadow_refused = true;
  return admit(request, now);
}

Request::State Controller::wait(Request& request, Time now) {
  if (room_.size() >= policy_.queue.max_length) {
    Request* given_up = room_.given_up_for(request.class_id);
    if (!given_up) return turn_away(request, Reason::queue_full, now);
    give_up(*given_up, Reason::queue_full, now);
  }
  room_.join(request, now);
  hold_key(request);
  return request.state = Request::State::waiting;
}

void Controller::serve(Request& waiting, Time now) {
  room_.leave(waiting);
  admit(waiting, now);
  decided_.push_back(waiting);
}

void Controller::give_up(Request& waiting, Reason reason, Time now) {
  room_.lose(waiting, now);
  release_key(waiting);
  turn_away(waiting, reason, now);
  decided_.push_back(waiting);
}

void Controller::serve_waiting(Time now) {
  if (room_.size() == 0) return;
  for (const int id : room_.best_first()) {
    while (!room_.empty(id) && now - room_.oldest(id)->arrived >= policy_.queue.max_wait) {
      give_up(*room_.oldest(id), pool_exhausted(id, now) ? Reason::pool : Reason::queue_timeout, now);
    }
    while (!room_.empty(id) && may_start(id, now) && !held_back(id, now)) {
      room_.observe(id, now);
      Request& next = room_.next(id);
      if (now + class_of(id).service_time.typical(now) > next.deadline) {
        give_up(next, Reason::deadline, now);
      } else {
        serve(next, now);
      }
    }
  }
}

/// Whether who waits for a slot would only wait on behind it: what an arrival is refused for, it waits out.
bool Controller::held_back(int class_id, Time now) const {
  return pool_exhausted(class_id, now) || api_has_enough(class_id, now);
}

void Controller::learn(const Request& request, Completion completion, Time now) {
  using Result = Breaker::Result;
  Class& c = class_of(request.class_id);
  const Time begin = request.sent == Time{} ? request.admitted : request.sent;
  const Duration latency = (request.answered == Time{} ? now : request.answered) - begin;
  if (completion == Completion::success) {
    limit_.learn(latency, now);
    service_time_.learn(latency, now);
    c.service_time.learn(latency, now);
    c.served = now;
  }
  learn_of_load(c, completion, now);

  Result reach = Result::success, result = Result::ignored;
  switch (completion) {
    case Completion::success:
      result = Result::success;
      break;
    case Completion::dropped:
      result = Result::failure;
      break;
    case Completion::shed:
      break;
    case Completion::ignore:
      reach = Result::ignored;
      break;
    case Completion::unreachable:
      reach = Result::unreachable;
      break;
    case Completion::connect_timeout:
      reach = Result::failure;
      break;
  }
  reach_.ended(request.reach_pass, reach, Duration::zero(), now);
  c.breaker.ended(request.pass, result, latency, now);
  note(reach_);
  note(c.breaker);
  if (reach_.state() == Breaker::State::open) refuse_waiting(Reason::breaker);
  if (c.breaker.state() == Breaker::State::open) refuse_waiting(request.class_id, Reason::breaker);
}

/// What the API sheds is load. It is its class's own while the API serves others; else it is the limit's, too.
void Controller::learn_of_load(Class& c, Completion completion, Time now) {
  switch (completion) {
    case Completion::success:
    case Completion::dropped:
      c.shedding.taken(now);
      break;
    case Completion::shed:
      c.shedding.shed(now);
      if (sheds_all(now)) limit_.shed(now);
      break;
    case Completion::ignore:
    case Completion::unreachable:
    case Completion::connect_timeout:
      break;
  }
}

/// Whether the API serves no class but those that it sheds.
bool Controller::sheds_all(Time now) const {
  return std::none_of(classes_.begin(), classes_.end(),
                      [&](const Class& c) { return now - c.served < kServedLately && !c.shedding.active(now); });
}

void Controller::note(const Breaker& breaker) {
  if (breaker.changed()) breakers_changed_ = classes_ramp_ = true;
}

void Controller::update_limit(Time now) {
  const int limit = std::max(1, static_cast<int>(limit_.value() * reach_.admission(now)));
  if (std::exchange(limit_now_, limit) != limit || classes_ramp_) update_shares(now);
}

void Controller::update_shares(Time now) {
  classes_ramp_ = false;
  for (Class& c : classes_) {
    c.share = share_of(c.policy.shed_at, limit());
    c.reserve = reserve_of(c.policy.reserve, limit(), policy_.max_concurrent);
    c.most = limit();
    const double admission = c.breaker.admission(now);
    if (admission >= 1) continue;
    c.most = std::max(1, static_cast<int>(std::max(c.share, c.reserve) * admission));
    classes_ramp_ = true;
  }
}

void Controller::adopt(Policy policy, Time now) {
  policy_ = std::move(policy);
  assert(policy_.max_concurrent >= 1 && !policy_.classes.empty());
  class_ids_.clear();
  for (const ClassPolicy& wanted : policy_.classes) {
    auto known =
        std::find_if(classes_.begin(), classes_.end(), [&](const Class& c) { return c.policy.name == wanted.name; });
    if (known == classes_.end()) known = classes_.emplace(classes_.end());
    known->policy = wanted;
    class_ids_.push_back(static_cast<int>(known - classes_.begin()));
  }
  for (Class& c : classes_) {
    c.breaker.configure(policy_.breaker);
    note(c.breaker);
  }
  limit_now_ = limit_.value();
  update_shares(now);

  // Classes that the policy no longer has come behind the others of their rank, until their last request is gone.
  std::vector<int> order(class_ids_.begin() + 1, class_ids_.end());
  order.push_back(class_ids_.front());
  for (int id = 0; id < static_cast<int>(classes_.size()); ++id) {
    if (std::find(class_ids_.begin(), class_ids_.end(), id) == class_ids_.end()) order.push_back(id);
  }
  const auto shed_at = [&](int id) { return class_of(id).policy.shed_at; };
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return shed_at(a) > shed_at(b); });
  room_.arrange(std::move(order), policy_.queue);
}

void Controller::hold_key(Request& request) {
  if (!request.counted) request.counted = keys_.add(request.key);
}

void Controller::release_key(Request& request) {
  if (std::exchange(request.counted, false)) keys_.remove(request.key);
}

}  // namespace spillway::admission
