#include "proxy/admission/controller.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>
#include <utility>

namespace spillway::admission {

int share_of(double shed_at, int limit) {
  if (shed_at <= 0) return 0;
  constexpr double kRounding = 1e-6;  // more than any binary rounding of share * limit, less than any share written
  return std::clamp(static_cast<int>(std::floor(shed_at * limit + kRounding)), 1, limit);
}

namespace {

/// A class needs its reserve for as long after an arrival: long enough for a class with a few requests per second to
/// keep it, short enough for one that went quiet to lend its slots soon.
constexpr Duration kReserveKept = std::chrono::seconds(1);

}  // namespace

Controller::Controller(Policy policy) {
  adopt(std::move(policy));
}

Request::State Controller::arrive(Request& request, Time now) {
  assert(request.state == Request::State::fresh);
  request.arrived = now;
  request.class_id = class_id_of(request.class_index);
  request.shadow_refused = false;
  Class& c = class_of(request.class_id);
  c.needed_until = now + kReserveKept;

  serve_waiting(now);  // time alone may have freed a slot, and nobody is to be overtaken
  if (policy_.mode == Mode::off) return admit(request);
  if (may_start(request.class_id, now)) return admit(request);
  if (policy_.mode == Mode::shadow) return admit_in_shadow(request, Reason::capacity);
  if (!may_wait(c)) return refuse(request, Reason::capacity);
  return wait(request, now);
}

void Controller::finish(Request& request, Completion /*completion*/, Time now) {
  assert(request.state == Request::State::admitted);
  request.state = Request::State::fresh;
  --in_flight_;
  request.shadow_refused ? --in_flight_refused_in_shadow_ : --class_of(request.class_id).in_flight;
  serve_waiting(now);
}

void Controller::abandon(Request& request) {
  assert(request.state == Request::State::waiting);
  room_.leave(request);
  request.state = Request::State::fresh;
}

void Controller::tick(Time now) {
  for (const int id : room_.best_first()) {
    room_.observe(id, now);
    for (Request* oldest = room_.oldest(id); oldest && now - oldest->arrived >= policy_.queue.max_wait;
         oldest = room_.oldest(id)) {
      give_up(*oldest, Reason::queue_timeout, now);
    }
  }
  serve_waiting(now);  // a reserve that nobody needs any more is free for others
}

void Controller::configure(Policy policy, Time now) {
  adopt(std::move(policy));
  for (const int id : room_.best_first()) {
    while (!room_.empty(id) && policy_.mode != Mode::enforce) serve(*room_.oldest(id));
    while (!room_.empty(id) && !may_wait(class_of(id))) {
      give_up(*room_.oldest(id), Reason::capacity, now);
    }
  }
  while (room_.size() > policy_.queue.max_length) {
    give_up(*room_.last_in_line(), Reason::queue_full, now);
  }
  tick(now);
}

void Controller::refuse_waiting(Reason reason) {
  for (const int id : room_.best_first()) {
    while (!room_.empty(id)) {
      Request& request = *room_.oldest(id);
      room_.leave(request);
      refuse(request, reason);
      decided_.push_back(request);
    }
  }
}

Request* Controller::next_decided() {
  Request* request = decided_.first();
  if (request) decided_.remove(*request);
  return request;
}

int Controller::class_id_of(int class_index) const {
  const int last = static_cast<int>(class_ids_.size()) - 1;
  return class_ids_[static_cast<std::size_t>(std::clamp(class_index, 0, last))];
}

bool Controller::may_start(int class_id, Time now) const {
  const Class& c = class_of(class_id);
  const int occupied = this->occupied();
  if (c.share == 0 || occupied >= limit()) return false;
  return c.in_flight < c.reserve || (occupied < c.share && occupied + held_for_others(class_id, now) < limit());
}

/// Slots that only other classes may take. One is left in any case.
int Controller::held_for_others(int class_id, Time now) const {
  int held = 0;
  for (const int other : room_.best_first()) {
    const Class& c = class_of(other);
    const bool needed = now < c.needed_until || !room_.empty(other);
    if (other != class_id && needed) held += std::max(0, c.reserve - c.in_flight);
  }
  return std::min(held, limit() - 1);
}

bool Controller::may_wait(const Class& c) const {
  return c.share > 0 && policy_.queue.max_length > 0 && policy_.queue.max_wait > Duration::zero();
}

/// Slots taken. In `shadow`, what would have been refused takes none, so that the counts are those of `enforce`.
int Controller::occupied() const {
  return policy_.mode == Mode::shadow ? in_flight_ - in_flight_refused_in_shadow_ : in_flight_;
}

Request::State Controller::admit(Request& request) {
  ++in_flight_;
  request.shadow_refused ? ++in_flight_refused_in_shadow_ : ++class_of(request.class_id).in_flight;
  return request.state = Request::State::admitted;
}

Request::State Controller::refuse(Request& request, Reason reason) {
  request.reason = reason;
  return request.state = Request::State::refused;
}

Request::State Controller::admit_in_shadow(Request& request, Reason reason) {
  request.reason = reason;
  request.shadow_refused = true;
  return admit(request);
}

Request::State Controller::wait(Request& request, Time now) {
  if (room_.size() >= policy_.queue.max_length) {
    Request* given_up = room_.given_up_for(request.class_id);
    if (!given_up) return refuse(request, Reason::queue_full);
    give_up(*given_up, Reason::queue_full, now);
  }
  room_.join(request, now);
  return request.state = Request::State::waiting;
}

void Controller::serve(Request& waiting) {
  room_.leave(waiting);
  admit(waiting);
  decided_.push_back(waiting);
}

void Controller::give_up(Request& waiting, Reason reason, Time now) {
  room_.lose(waiting, now);
  refuse(waiting, reason);
  decided_.push_back(waiting);
}

void Controller::serve_waiting(Time now) {
  if (room_.size() == 0) return;
  for (const int id : room_.best_first()) {
    while (!room_.empty(id) && may_start(id, now)) {
      room_.observe(id, now);
      serve(room_.next(id));
    }
  }
}

void Controller::adopt(Policy policy) {
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
    c.share = share_of(c.policy.shed_at, limit());
    c.reserve = c.policy.reserve;
  }

  // Classes that the policy no longer has come behind the others of their rank, until their last request is gone.
  std::vector<int> order = class_ids_;
  for (int id = 0; id < static_cast<int>(classes_.size()); ++id) {
    if (std::find(class_ids_.begin(), class_ids_.end(), id) == class_ids_.end()) order.push_back(id);
  }
  const auto shed_at = [&](int id) { return class_of(id).policy.shed_at; };
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return shed_at(a) > shed_at(b); });
  room_.arrange(std::move(order), policy_.queue);
}

}  // namespace spillway::admission
