#include "proxy/admission/controller.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

namespace spillway::admission {
namespace {

/// How long an arrival keeps its class's reserve free for the next one. A class with a few requests a second keeps its
/// reserve; a class that went quiet soon lends its slots.
constexpr Duration kReserveKept = std::chrono::seconds(1);

/// How long slots count as contended after a client within its fair share found none free.
constexpr Duration kContended = std::chrono::seconds(1);

/// Of so many requests that seem to be late one is sent nevertheless while half of the slots are idle,
constexpr int kLateProbes = 10;
/// or of so many, once an answer has come fast enough.
constexpr int kHopefulProbes = 2;

}  // namespace

Request::State Controller::arrive(Request& request, Time now) {
  assert(request.state == Request::State::fresh);
  request.arrived = now;
  request.class_id = class_id_of(request.class_index);
  request.shadow_refused = false;
  class_of(request.class_id).needed_until = now + kReserveKept;
  update_limit(now);
  serve_waiting(now);  // a reserve may have lapsed: those that wait come before this request

  if (policy_.mode == Mode::off) return admit(request, now);
  // The breaker is open: send no request but the trials.
  if (!circuit_closed(request, now)) return refuse(request, Reason::breaker, now);
  // It asks for a stream, and there are too many.
  if (request.asks_for_stream && streams_full()) return refuse(request, Reason::streams, now);
  // The answer would come after the client's deadline: the API would work for nobody.
  if (request.deadline != Time::max() && too_late(request, surely_done_in(request.class_id, now), now)) {
    return refuse(request, Reason::deadline, now);
  }
  // The database pool is used up: a slot would only be a wait inside the API.
  if (pool_exhausted(request.class_id, now)) return refuse(request, Reason::pool, now);
  // The API sheds such requests itself and has been sent all that it takes.
  if (api_has_enough(request, now)) return refuse(request, Reason::capacity, now);
  // Standing overload, and it is the turn of other clients.
  if (out_of_turn(request)) {
    queue_.asked(request.class_id, now);
    return refuse(request, Reason::cohort, now);
  }
  // The normal case: the share of the class is not used up. A client far above its own share leaves others room.
  if (may_start(request.class_id, now)) {
    return crowds_out(request, now) ? refuse(request, Reason::fairness, now) : start(request, now);
  }

  // No slot is free. Refuse clients above their fair share,
  const Class& c = class_of(request.class_id);
  const bool limit_binds =
      c.most == limit() || c.in_flight < c.most;  // and not the class's cap, nor its breaker's ramp
  if (limit() == limit_.value() && limit_binds && alone()) limit_.kept_waiting(now);
  if (over_fair_share(request, now)) return refuse(request, Reason::fairness, now);
  no_slot_ = now;
  // refuse if queueing is off,
  if (!may_wait(request.class_id)) return refuse(request, Reason::capacity, now);
  // else queue; a full queue evicts a request of a lower class.
  return wait(request, now);
}

void Controller::reached(Request& request, Time now) {
  assert(request.state == Request::State::admitted);
  reach_.ended(std::exchange(request.reach_pass, {}), Breaker::Result::success, Duration::zero(), now);
  note(reach_);
  update_limit(now);
}

void Controller::finish(Request& request, Completion completion, Time now) {
  const Request::State state = std::exchange(request.state, Request::State::fresh);
  if (state == Request::State::streaming) {
    --streams_;
    return serve_waiting(now);
  }
  assert(state == Request::State::admitted);
  release(request, completion, now);
}

/// Takes an admitted request out of the slots.
void Controller::release(Request& request, Completion completion, Time now) {
  advisor_.passed(alone() ? in_flight_ : 0, now);
  if (completion == Completion::success && alone()) advisor_.answered(in_flight_);
  --in_flight_;
  request.shadow_refused ? --in_flight_refused_in_shadow_ : --class_of(request.class_id).in_flight;
  if (request.counted) clients_.finish(request.key, now);
  release_client(request);
  learn(request, completion, now);
  update_limit(now);
  serve_waiting(now);
}

void Controller::abandon(Request& request) {
  assert(request.state == Request::State::waiting);
  queue_.remove(request);
  release_client(request);
  request.state = Request::State::fresh;
}

/// A class with nothing in flight learns how long its requests take only from one that gets a slot, however late.
Time Controller::expire(Request& request, Time now) {
  serve_waiting(now);
  if (request.state != Request::State::waiting || request.deadline == Time::max()) return Time::max();
  const Class& c = class_of(request.class_id);
  const Time last = request.deadline - (c.in_flight > 0 ? c.service_time.p90(now) : Duration::zero());
  if (now < last) return last;
  evict(request, Reason::deadline, now);
  return Time::max();
}

void Controller::tick(Time now) {
  reach_.tick(now);
  note(reach_);
  for (Class& c : classes_) {
    c.breaker.tick(now);
    note(c.breaker);
  }
  update_limit(now);
  for (const int id : queue_.best_first()) observe_queue(id, now);
  evict_surplus(now);
  serve_waiting(now);
}

void Controller::refuse_waiting(Reason reason) {
  for (const int id : queue_.best_first()) refuse_waiting(id, reason);
}

void Controller::refuse_waiting(int class_id, Reason reason) {
  while (Request* request = queue_.oldest(class_id)) {
    queue_.remove(*request);
    release_client(*request);
    request->reason = reason;
    request->state = Request::State::refused;
    decided_.push_back(*request);
  }
}

void Controller::observe(const DbPoolReport& report, Time now) {
  pool_.report(report, in_flight_with_need(), now);
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
  return decided_.pop_front();
}

int Controller::class_id_of(int class_index) const {
  const auto index = static_cast<std::size_t>(class_index);
  return index < class_ids_.size() ? class_ids_[index] : class_ids_.front();
}

bool Controller::circuit_closed(const Request& request, Time now) {
  Breaker& of_class = class_of(request.class_id).breaker;
  // A trial connect does not wait for the client's body: `reached` ends it.
  const bool closed = reach_.allows(true, now) && of_class.allows(request.body_at_hand, now);
  note(reach_);
  note(of_class);
  return closed;
}

/// Whether the request would be answered after its deadline, if it `takes` so long from now on. Only requests that are
/// sent show how long they take. So while slots are idle some are sent that seem late, or a wrong estimate would refuse
/// everybody and stay: one at once if the class has none in flight, else one of some.
bool Controller::too_late(const Request& request, Duration takes, Time now) {
  if (now + takes <= request.deadline) return false;
  Class& c = class_of(request.class_id);
  const Duration left = request.deadline - now;
  if (!c.service_time.possible_in(left, now) || !may_start(request.class_id, now)) return true;
  if (c.in_flight > 0) {
    if (2 * occupied() > slots()) return true;
    if (++c.late_ones < (c.service_time.latest() <= left ? kHopefulProbes : kLateProbes)) return true;
  }
  c.late_ones = 0;
  return false;
}

bool Controller::pool_exhausted(int class_id, Time now) const {
  const Class& c = class_of(class_id);
  const double shed_at = c.policy.shed_at;
  if (!policy_.pool_aware || !c.policy.pool_aware || !c.database.needed()) return false;
  if (need_reported_ && c.database.unknown() && c.in_flight == 0) return false;
  // With a share of 0 the reason is `capacity`: an idle pool would count as exhausted.
  return shed_at > 0 && pool_.exhausted(shed_at, in_flight_with_need(), now);
}

/// How many of the requests in flight will use the database, by what others of their class have done.
double Controller::in_flight_with_need() const {
  double count = 0;
  for (const Class& c : classes_) count += c.database.needed() ? c.database.used_by(c.in_flight) : 0;
  return count;
}

bool Controller::may_start(int class_id, Time now) const {
  const Class& c = class_of(class_id);
  const int occupied = this->occupied();
  if (c.share == 0 || occupied >= slots() || c.in_flight >= c.most) return false;
  return c.in_flight < c.reserve || (occupied < c.share && occupied + held_for_others(class_id, now) < slots());
}

/// A client has its share if it has so many requests, those that wait included, or else it could fill the queue; or if
/// it has held so many slots on average, or else clients with long requests would get more than their part.
bool Controller::over_fair_share(const Request& request, Time now) const {
  if (request.key == 0 || class_of(request.class_id).share == 0) return false;
  const int most = fair_share(request);
  return clients_.requests(request.key) >= most || clients_.slots(request.key, now) >= most;
}

/// A slot is free, but while clients within their share have to wait, one above it leaves as many slots to the others
/// as they use, and one more, if its requests are long: they would take each slot that is free for a moment. A slot
/// held no longer than the others' is soon free again.
bool Controller::crowds_out(const Request& request, Time now) const {
  if (now - no_slot_ >= kContended || clients_.slots(request.key, now) < fair_share(request)) return false;
  if (!clients_.holds_longer(request.key, now)) return false;
  const double others = clients_.slots(now) - clients_.slots(request.key, now);
  const double left = class_of(request.class_id).share - others - std::min(1.0, others);
  return clients_.in_flight(request.key) + 1 > left;
}

/// No queueing in `shadow`, where a refused request is admitted at once, nor unless the breakers are closed.
bool Controller::may_wait(int class_id) const {
  return policy_.mode == Mode::enforce && class_of(class_id).share > 0 && policy_.queue.most() > 0 &&
         policy_.queue.max_wait > Duration::zero() && reach_.state() == Breaker::State::closed &&
         class_of(class_id).breaker.state() == Breaker::State::closed;
}

/// Slots in use. In `shadow`, a request that `enforce` would refuse uses none, so that the decisions are the same.
int Controller::occupied() const {
  return elsewhere_ + (policy_.mode == Mode::shadow ? in_flight_ - in_flight_refused_in_shadow_ : in_flight_);
}

/// Free slots that are reserved for other classes. At least one slot is never reserved.
int Controller::held_for_others(int class_id, Time now) const {
  if (!reserves_) return 0;
  int held = 0;
  for (const int other : queue_.best_first()) {
    const Class& c = class_of(other);
    const bool needed = now < c.needed_until || !queue_.empty(other);
    if (other != class_id && needed) held += std::max(0, c.reserve - c.in_flight);
  }
  return std::min(held, limit() - 1);
}

/// How long an arrival of the class would wait: until a slot has become free for every request ahead of it, and one for
/// itself. While the newest is served first, only better classes are ahead.
Duration Controller::estimated_wait(int class_id, Time now) const {
  if (may_start(class_id, now)) return Duration::zero();
  const double counted = queue_.service_rate(class_id);
  const double rate = counted > 0 ? counted : computed_rate(class_id, now);
  if (rate == 0) return Duration::zero();
  return from_seconds((queue_.ahead_of(class_id) + 1) / rate);
}

/// The time in which nine of ten arrivals of the class would be answered. The wait varies with the service times of
/// those ahead: their variances add up, and the slots share them.
Duration Controller::surely_done_in(int class_id, Time now) const {
  const Class& c = class_of(class_id);
  const Duration typical = c.service_time.typical(now), wait = estimated_wait(class_id, now);
  const double spread = in_seconds(c.service_time.p90(now) - typical);
  const double ahead = wait == Duration::zero() ? 0 : queue_.ahead_of(class_id) + 1;
  const double slots = std::max(1, c.share);
  const double longer = spread * std::sqrt(1 + ahead / (slots * slots));
  return wait + typical + from_seconds(longer);
}

Request::State Controller::admit(Request& request, Time now) {
  Class& c = class_of(request.class_id);
  advisor_.passed(alone() ? in_flight_ : 0, now);
  ++in_flight_;
  request.shadow_refused ? ++in_flight_refused_in_shadow_ : ++c.in_flight;
  request.admitted = now;
  request.reach_pass = reach_.started(true, now);
  request.pass = c.breaker.started(request.body_at_hand, now);
  if (!request.shadow_refused) shedding_of(c, request).sent(now);
  retry_after_.admitted();
  count_client(request, now);
  if (request.counted) clients_.start(request.key, now);
  return request.state = Request::State::admitted;
}

Request::State Controller::refuse(Request& request, Reason reason, Time now) {
  request.reason = reason;
  retry_after_.refused(now);
  if (policy_.mode == Mode::enforce) return request.state = Request::State::refused;
  request.shadow_refused = true;
  return admit(request, now);
}

/// A request that finds a free slot.
Request::State Controller::start(Request& request, Time now) {
  queue_.arrived(request.class_id, now);
  queue_.started(request.class_id, false, now);
  return admit(request, now);
}

Request::State Controller::wait(Request& request, Time now) {
  queue_.arrived(request.class_id, now);
  observe_queue(request.class_id, now);
  if (out_of_turn(request)) return refuse(request, Reason::cohort, now);
  if (!queue_.takes(request.class_id, now)) return refuse(request, Reason::queue_full, now);
  if (queue_.full()) {
    Request* victim = queue_.victim_for(request.class_id);
    if (!victim) return refuse(request, Reason::queue_full, now);
    evict(*victim, Reason::queue_full, now);
  }
  queue_.push(request);
  count_client(request, now);
  request.state = Request::State::waiting;
  evict_surplus(now);  // never the arrival: it is the newest, and has a place
  return request.state;
}

void Controller::serve(Request& waiting, Time now) {
  queue_.remove(waiting);
  queue_.started(waiting.class_id, true, now);
  admit(waiting, now);
  decided_.push_back(waiting);
}

void Controller::evict(Request& waiting, Reason reason, Time now) {
  queue_.remove(waiting);
  release_client(waiting);
  refuse(waiting, reason, now);
  decided_.push_back(waiting);
}

void Controller::serve_waiting(Time now) {
  if (queue_.size() == 0) return;
  for (const int id : queue_.best_first()) {
    while (!queue_.empty(id) && now - queue_.oldest(id)->arrived >= policy_.queue.max_wait) {
      evict(*queue_.oldest(id), pool_exhausted(id, now) ? Reason::pool : Reason::queue_timeout, now);
    }
    while (!queue_.empty(id) && may_start(id, now) && !pool_exhausted(id, now)) {
      Request& next = queue_.next(id);
      if (api_has_enough(next, now)) {
        evict(next, Reason::capacity, now);
      } else if (next.deadline != Time::max() && too_late(next, class_of(id).service_time.p90(now), now)) {
        evict(next, Reason::deadline, now);
      } else {
        serve(next, now);
      }
    }
  }
}

void Controller::observe_queue(int class_id, Time now) {
  if (!queue_.observe(class_id, computed_rate(class_id, now), service_time_.typical(now), now)) return;
  // Cohorts have come into force: who waits out of turn is told, too.
  for (Request *request = queue_.oldest(class_id), *next = nullptr; request; request = next) {
    next = request->next();
    if (out_of_turn(*request)) evict(*request, Reason::cohort, now);
  }
}

/// Under standing overload, refuses at once who has no place any more.
void Controller::evict_surplus(Time now) {
  while (Request* request = queue_.surplus()) evict(*request, Reason::queue_full, now);
}

/// Requests per second that the slots of a class serve, by the service time; 0 while it is unknown.
double Controller::computed_rate(int class_id, Time now) const {
  const double service = in_seconds(service_time_.typical(now));
  const Class& c = class_of(class_id);
  return service > 0 ? std::min(c.share, c.most) / service : 0;
}

void Controller::note(const Breaker& breaker) {
  if (breaker.changed()) breakers_changed_ = classes_ramp_ = true;
}

void Controller::count_client(Request& request, Time now) {
  if (!request.counted) request.counted = clients_.add(request.key, now);
}

void Controller::release_client(Request& request) {
  if (std::exchange(request.counted, false)) clients_.remove(request.key);
}

}  // namespace spillway::admission
