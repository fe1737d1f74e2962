// Checks the invariants of controller.hpp after every event of random sequences.
#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/admission/controller.hpp"

namespace {

using namespace spillway::admission;
using spillway::Duration;
using spillway::Time;
using State = Request::State;
using namespace std::chrono_literals;

constexpr int kClasses = 4;
constexpr Completion kCompletions[] = {
    Completion::success,         Completion::success, Completion::success, Completion::success,     Completion::success,
    Completion::ignore,          Completion::dropped, Completion::dropped, Completion::unreachable, Completion::shed,
    Completion::connect_timeout, Completion::stream,  Completion::shed,    Completion::rate_limited};

/// Drives a controller, and counts everything again in a naive way.
class World {
 public:
  explicit World(unsigned seed) : random_(seed), policy_(random_policy()), controller_(policy_) {}

  void run(int events) {
    for (int i = 0; i < events; ++i) {
      now_ += 100us * below(10);
      step();
      check();
    }
    controller_.refuse_waiting(Reason::draining);
    take_decided();
    while (!in_flight_.empty()) finish_one();
    while (!streams_.empty()) end_stream();
    check();
    CHECK(controller_.in_flight() == 0);
    CHECK(controller_.streams() == 0);
    CHECK(controller_.snapshot(now_).keys == 0);
    CHECK(controller_.queue_length() == 0);
    CHECK(arrivals_ == admitted_ + refused_ + abandoned_);
  }

 private:
  int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }

  Policy random_policy() {
    static constexpr double kShares[] = {0, 0.3, 0.5, 0.6, 0.8, 0.8, 1, 1};
    Policy policy;
    policy.max_concurrent = 1 + below(8);
    for (int i = 0; i < kClasses; ++i)
      policy.classes.push_back({std::string(1, static_cast<char>('a' + i)), kShares[below(8)]});
    if (below(3) == 0) policy.classes[static_cast<std::size_t>(below(kClasses))].reserve = below(policy.max_concurrent);
    for (ClassPolicy& c : policy.classes) {
      if (below(4) == 0) c.max_concurrent = std::max(1, c.reserve) + below(4);
    }
    policy.streams.max = below(5);
    if (below(3) != 0) policy.queue.max_length = below(7);
    policy.queue.max_wait = 10ms * below(6);
    policy.queue.interval = policy.queue.patience = below(2) == 0 ? 100s : 5ms;  // never overloaded, and often so
    policy.queue.target = 1us;
    policy.adaptive = {.enabled = below(4) == 0, .min = 1 + below(3)};
    policy.fairness.share = 0.3;
    policy.breaker = {.enabled = below(3) == 0, .window = 50ms, .min_requests = 5, .open_for = 20ms, .ramp = 30ms};
    policy.mode = below(12) == 0 ? Mode::shadow : below(12) == 0 ? Mode::off : Mode::enforce;
    return policy;
  }

  void step() {
    const int dice = below(100);
    if (dice < 50) {
      arrive();
    } else if (dice < 55) {
      if (!in_flight_.empty()) begin_stream();
    } else if (dice < 58) {
      if (!streams_.empty()) end_stream();
    } else if (dice < 80) {
      if (!in_flight_.empty()) finish_one();
    } else if (dice < 88) {
      if (!waiting_.empty()) abandon_one();
    } else if (dice < 97) {
      now_ += 1ms * below(15);
      controller_.tick(event_at_ = now_);
      take_decided();
      if (below(4) == 0) controller_.polled(below(3) != 0, now_);
      while (controller_.next_breaker_change()) {
      }
    } else {
      policy_ = random_policy();
      if (policy_.queue.interval < 1s) was_never_overloaded_ = false;
      limit_may_be_exceeded_ = true;  // until enough have finished
      controller_.configure(policy_, event_at_ = now_);
      take_decided();
    }
  }

  void arrive() {
    Request& request = *requests_.emplace_back(std::make_unique<Request>());
    request.class_index = below(kClasses);
    if (below(3) == 0) request.key = 1 + random_() % 3;
    request.body_at_hand = below(4) != 0;
    request.asks_for_stream = below(6) == 0;
    if (below(8) == 0) request.deadline = now_ + 1ms * below(40);
    needed_until_[request.class_index] = now_ + 1s;
    ++arrivals_;
    controller_.arrive(request, event_at_ = now_);
    take_decided();  // requests that time alone admits come before the arrival
    const bool others_wait = std::any_of(waiting_.begin(), waiting_.end(), [&](const Request* other) {
      return !ranks_before(request.class_index, other->class_index) && !held_back(*other);
    });
    switch (request.state) {
      case State::waiting:
        waiting_.push_back(&request);
        break;
      case State::admitted:
        if (policy_.mode == Mode::enforce && !within_reserve(request)) {
          CHECK_FALSE_MESSAGE(others_wait, "overtook one of its own or a better class");
        }
        admit(request);
        break;
      case State::refused:
        refuse(request);
        break;
      case State::fresh:
      case State::streaming:
        FAIL("undecided");
    }
    if (request.state == State::admitted && request.reach_pass.trial != 0 && below(2) == 0) {
      controller_.reached(request, event_at_ = now_);
    }
  }

  void finish_one() {
    const auto which = in_flight_.begin() + below(static_cast<int>(in_flight_.size()));
    Request& request = **which;
    in_flight_.erase(which);
    if (!request.shadow_refused) --in_flight_of_[request.class_index];
    controller_.finish(request, kCompletions[below(std::size(kCompletions))], event_at_ = now_);
    take_decided();
    if (below(4) == 0) controller_.observe({.capacity = 8, .in_use = below(9), .waiters = below(20) / 19}, now_);
    take_decided();
  }

  void begin_stream() {
    const auto which = in_flight_.begin() + below(static_cast<int>(in_flight_.size()));
    Request& request = **which;
    const bool room = policy_.mode == Mode::off || static_cast<int>(streams_.size()) < policy_.streams.max;
    CHECK(controller_.begin_stream(request, event_at_ = now_) == room);
    if (!room) {
      take_decided();
      CHECK(request.state == State::admitted);
      return;
    }
    CHECK(request.state == State::streaming);
    in_flight_.erase(which);
    if (!request.shadow_refused) --in_flight_of_[request.class_index];
    streams_.push_back(&request);
    take_decided();
  }

  void end_stream() {
    Request& request = *streams_.back();
    streams_.pop_back();
    controller_.finish(request, kCompletions[below(std::size(kCompletions))], event_at_ = now_);
    CHECK(request.state == State::fresh);
    take_decided();
  }

  void abandon_one() {
    for (Request* request : std::vector(waiting_.begin(), waiting_.end())) {
      if (below(2) != 0) continue;
      const Time again = controller_.expire(*request, event_at_ = now_);
      CHECK((again > now_ && (again == Time::max() || again <= request->deadline)));
    }
    take_decided();
    if (waiting_.empty()) return;
    const auto which = waiting_.begin() + below(static_cast<int>(waiting_.size()));
    controller_.abandon(**which);
    waiting_.erase(which);
    ++abandoned_;
  }

  void take_decided() {
    while (Request* request = controller_.next_decided()) {
      const auto place = std::find(waiting_.begin(), waiting_.end(), request);
      REQUIRE_MESSAGE(place != waiting_.end(), "decided twice, or without having waited");
      waiting_.erase(place);
      if (request->state == State::admitted) {
        for (const Request* other : waiting_) {
          if (share(other->class_index) == 0) continue;  // the reload is about to refuse it
          if (held_back(*other)) continue;
          CHECK_MESSAGE((within_reserve(*request) || !ranks_before(other->class_index, request->class_index)),
                        "a worse class was served first");
          if (other->class_index == request->class_index && policy_.queue.interval > 1s && was_never_overloaded_) {
            CHECK_MESSAGE(request->arrived <= other->arrived, "a younger one was served first");
          }
        }
        admit(*request);
      } else {
        REQUIRE(request->state == State::refused);
        refuse(*request);
      }
    }
  }

  void admit(Request& request) {
    const bool reserved = within_reserve(request);
    in_flight_.push_back(&request);
    if (!request.shadow_refused) ++in_flight_of_[request.class_index];
    ++admitted_;
    if (policy_.mode == Mode::enforce) {
      const int cap = policy_.classes[static_cast<std::size_t>(request.class_index)].max_concurrent;
      if (cap > 0) CHECK(in_flight_of_[request.class_index] <= cap);
      CHECK(static_cast<int>(in_flight_.size()) <= (reserved ? controller_.limit() : share(request.class_index)));
      CHECK_FALSE(request.shadow_refused);
    }
  }

  void refuse(const Request& request) {
    CHECK(policy_.mode == Mode::enforce);
    if (request.reason == Reason::streams) CHECK(request.asks_for_stream);
    if (request.reason == Reason::fairness) CHECK(request.key != 0);
    if (request.reason == Reason::deadline) CHECK(request.deadline != Time::max());
    if (request.reason == Reason::breaker) CHECK(policy_.breaker.enabled);
    CHECK((request.reason < Reason::maintenance || request.reason == Reason::draining));
    ++refused_;
  }

  void check() {
    const int in_flight = static_cast<int>(in_flight_.size());
    if (in_flight <= policy_.max_concurrent) limit_may_be_exceeded_ = false;
    if (policy_.mode == Mode::enforce && !limit_may_be_exceeded_) CHECK(in_flight <= policy_.max_concurrent);
    CHECK(controller_.limit() <= policy_.max_concurrent);
    CHECK(controller_.limit() >= 1);
    const Snapshot snapshot = controller_.snapshot(event_at_);
    if (snapshot.reach_breaker != Breaker::State::closed) CHECK(waiting_.empty());
    CHECK(controller_.in_flight() == in_flight);
    CHECK(controller_.streams() == static_cast<int>(streams_.size()));
    CHECK(controller_.queue_length() == static_cast<int>(waiting_.size()));
    CHECK(controller_.queue_length() <= policy_.queue.most());
    CHECK(arrivals_ == admitted_ + refused_ + abandoned_ + static_cast<int>(waiting_.size()));
    for (const Request* request : waiting_) {
      CHECK(request->state == State::waiting);
      CHECK(event_at_ - request->arrived < policy_.queue.max_wait);
      CHECK(snapshot.classes[static_cast<std::size_t>(request->class_index)].breaker == Breaker::State::closed);
      CHECK_FALSE_MESSAGE((!held_back(*request) && may_start(*request)),
                          "a slot is free beside a request that may take it");
    }
  }

  /// A request that waits although a slot is free: because of the pool, of what the API sheds, or of a ramp.
  bool held_back(const Request& request) const {
    const Snapshot snapshot = controller_.snapshot(event_at_);
    const Snapshot::Class& c = snapshot.classes[static_cast<std::size_t>(request.class_index)];
    return c.pool_exhausted || c.api_has_enough || in_flight_of_[request.class_index] >= c.most;
  }
  bool within_reserve(const Request& request) const {
    return in_flight_of_[request.class_index] < reserve(request.class_index);
  }
  bool may_start(const Request& request) const {
    const int in_flight = static_cast<int>(in_flight_.size());
    if (in_flight >= controller_.limit()) return false;
    int held = 0;
    for (int other = 0; other < kClasses; ++other) {
      const bool waits =
          std::any_of(waiting_.begin(), waiting_.end(), [&](auto* r) { return r->class_index == other; });
      const int unused = reserve(other) - in_flight_of_[other];
      if (other != request.class_index && unused > 0 && (waits || event_at_ < needed_until_[other])) held += unused;
    }
    held = std::min(held, controller_.limit() - 1);
    return within_reserve(request) ||
           (in_flight < share(request.class_index) && in_flight + held < controller_.limit());
  }
  int reserve(int class_index) const {
    return reserve_of(policy_.classes[static_cast<std::size_t>(class_index)].reserve, controller_.limit(),
                      policy_.max_concurrent);
  }
  int share(int class_index) const {
    return share_of(policy_.classes[static_cast<std::size_t>(class_index)].shed_at, controller_.limit());
  }
  bool ranks_before(int a, int b) const {
    const double at_a = policy_.classes[static_cast<std::size_t>(a)].shed_at;
    const double at_b = policy_.classes[static_cast<std::size_t>(b)].shed_at;
    const auto place = [](int index) { return (index + kClasses - 1) % kClasses; };  // the default class is last
    return at_a > at_b || (at_a == at_b && place(a) < place(b));
  }

  std::minstd_rand random_;
  Policy policy_;
  Controller controller_;
  Time now_{}, event_at_{};  // `event_at_`: of the last event that took a time
  std::vector<std::unique_ptr<Request>> requests_;
  std::vector<Request*> waiting_, in_flight_, streams_;
  int in_flight_of_[kClasses] = {};
  Time needed_until_[kClasses] = {};
  int arrivals_ = 0, admitted_ = 0, refused_ = 0, abandoned_ = 0;
  bool limit_may_be_exceeded_ = false;
  bool was_never_overloaded_ = policy_.queue.interval > 1s;
};

TEST_CASE("the invariants of the controller hold for any order of events") {
  for (unsigned seed = 1; seed <= 2000; ++seed) {
    CAPTURE(seed);
    World(seed).run(150);
  }
}

}  // namespace
