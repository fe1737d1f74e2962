// What a successor goes on with, and how both processes keep to one limit.

#include <doctest/doctest.h>

#include "tests/unit/admission/scene.hpp"

namespace spillway::admission {
namespace {

using namespace scene;

const Request kCritical = [] {
  Request request;
  request.class_index = 1;
  return request;
}();

Policy learning_policy() {
  Policy policy = policy_of_10();
  policy.max_concurrent = 200;
  policy.queue = {.max_length = 500, .max_wait = 10s};
  policy.adaptive = {.enabled = true, .min = 4};
  return policy;
}

/// An API of `slots` slots and 10 ms, always busy: each answer brings the next request.
void overload(Scene& s, int slots, Duration time, int arrivals) {
  std::deque<Request*> inside;
  std::deque<Time> until;
  for (int i = 0; i < arrivals; ++i) s.arrive(kCritical);
  const auto take_started = [&] {
    while (Request* started = s.controller.next_decided()) {
      if (started->state == State::admitted) inside.push_back(started);
    }
  };
  for (Request& each : s.requests) {
    if (each.state == State::admitted) inside.push_back(&each);
  }
  for (const Time end = s.now + time; s.now < end; s.now += 1ms) {
    // The API works on the first `slots` requests; each takes ten steps.
    for (int done = 0; done < slots / 10 && !inside.empty(); ++done) {
      Request* first = inside.front();
      inside.pop_front();
      s.finish(*first);
      take_started();
      s.controller.arrive(*first = kCritical, s.now);
      if (first->state == State::admitted) inside.push_back(first);
    }
    s.controller.tick(s.now);
    take_started();
  }
}

TEST_CASE("a successor has the learned limit, its baseline and the service times") {
  Scene old(learning_policy());
  overload(old, 40, 20s, 250);
  const int limit = old.controller.limit();
  REQUIRE(limit < 120);
  REQUIRE(old.snapshot().baseline_seconds > 0);

  Scene next(learning_policy());
  next.controller.restore(old.controller.learned(old.now), next.now);
  const double change = next.controller.limit() / static_cast<double>(limit);
  CHECK(change > 0.75);  // the limit before may be in a dip, by a fifth
  CHECK(change < 1.3);
  CHECK(next.snapshot().baseline_seconds == doctest::Approx(old.snapshot().baseline_seconds));
  CHECK(next.snapshot().classes[1].service_time == old.snapshot().classes[1].service_time);
  CHECK(next.controller.learned(next.now).limit.level == doctest::Approx(old.controller.learned(old.now).limit.level));
  CHECK(next.controller.advisor().learned().size() == old.controller.advisor().learned().size());

  SUBCASE("and goes on from there") {
    const double level = next.controller.learned(next.now).limit.level;
    overload(next, 40, 10s, 250);
    CHECK(next.controller.learned(next.now).limit.level == doctest::Approx(level).epsilon(0.35));
  }
}

TEST_CASE("a successor that does not learn keeps its capacity, and lower bounds hold") {
  Scene old(learning_policy());
  overload(old, 40, 20s, 250);
  const Learned learned = old.controller.learned(old.now);
  Scene fixed;
  fixed.controller.restore(learned, fixed.now);
  CHECK(fixed.controller.limit() == 10);
  Policy small = learning_policy();
  small.max_concurrent = 7;
  Scene bounded(small);
  bounded.controller.restore(learned, bounded.now);
  CHECK(bounded.controller.limit() == 7);
}

TEST_CASE("a successor's breakers stand as its predecessor's did") {
  Scene old;
  old.serve(20, Completion::dropped, 1ms, kCritical);
  REQUIRE(old.snapshot().classes[1].breaker == BreakerState::open);
  old.now += 2s;
  Scene next;
  next.controller.restore(old.controller.learned(old.now), next.now);
  CHECK(next.snapshot().classes[1].breaker == BreakerState::open);
  CHECK(next.snapshot().classes[1].breaker_remaining == old.snapshot().classes[1].breaker_remaining);
  CHECK(next.snapshot().classes[0].breaker == BreakerState::closed);
  CHECK_FALSE(next.controller.next_breaker_change());
  CHECK(next.arrive(kCritical).reason == Reason::breaker);
  next.now += 4s;
  next.controller.tick(next.now);
  CHECK(next.snapshot().classes[1].breaker == BreakerState::half_open);

  SUBCASE("also half-open") {
    Scene third;
    third.controller.restore(next.controller.learned(next.now), third.now);
    CHECK(third.snapshot().classes[1].breaker == BreakerState::half_open);
    third.serve(5, Completion::success, 1ms, kCritical);
    CHECK(third.snapshot().classes[1].breaker == BreakerState::closed);
  }
  SUBCASE("unless the new policy has none") {
    Policy policy = policy_of_10();
    policy.breaker.enabled = false;
    Scene third(policy);
    third.controller.restore(next.controller.learned(next.now), third.now);
    CHECK(third.snapshot().classes[1].breaker == BreakerState::closed);
  }
}

TEST_CASE("failures of a window that spans the succession count together") {
  Scene old;
  old.serve(12, Completion::dropped, 1ms);
  Scene next;
  next.controller.restore(old.controller.learned(old.now), next.now);
  next.serve(7, Completion::dropped, 1ms);
  CHECK(next.snapshot().classes[0].breaker == BreakerState::closed);
  next.serve(1, Completion::dropped, 1ms);
  CHECK(next.snapshot().classes[0].breaker == BreakerState::open);
}

TEST_CASE("classes are told by their names") {
  Scene old;
  old.serve(20, Completion::dropped, 1ms, kCritical);
  Policy policy = policy_of_10();
  policy.classes = {{"normal", 0.80}, {"new", 0.9}, {"critical", 1.00}};
  Scene next(policy);
  Learned learned = old.controller.learned(old.now);
  learned.classes.emplace_back().name = "gone";
  next.controller.restore(learned, next.now);
  CHECK(next.snapshot().classes[1].breaker == BreakerState::closed);
  CHECK(next.snapshot().classes[2].breaker == BreakerState::open);
}

TEST_CASE("requests of the predecessor take slots of the successor, in the order of their need") {
  Scene next;
  next.controller.set_elsewhere(7, 0, next.now);
  next.fill(3, kCritical);
  Request& waits = next.arrive(kCritical);
  CHECK(waits.state == State::waiting);
  CHECK(next.snapshot().elsewhere == 7);
  next.controller.set_elsewhere(6, 0, next.now);
  CHECK(waits.state == State::admitted);
  CHECK(next.controller.next_decided() == &waits);

  // It needs more again: nobody starts until there is room.
  next.controller.set_elsewhere(8, 0, next.now);
  Request& second = next.arrive(kCritical);
  next.finish(next.requests[0]);
  next.finish(next.requests[1]);
  CHECK(second.state == State::waiting);
  next.finish(next.requests[2]);
  CHECK(second.state == State::admitted);
}

TEST_CASE("streams of the predecessor count beside those of the successor") {
  Policy policy = policy_of_10();
  policy.streams.max = 3;
  Scene next(policy);
  next.controller.set_elsewhere(0, 2, next.now);
  next.fill(2);
  CHECK(next.controller.begin_stream(next.requests[0], next.now));
  CHECK_FALSE(next.controller.begin_stream(next.requests[1], next.now));
  next.controller.set_elsewhere(0, 0, next.now);
  CHECK(next.controller.begin_stream(next.requests[1], next.now));
}

TEST_CASE("a predecessor starts no request above its ceiling, and serves those that wait when it rises") {
  Scene old;
  old.fill(3);
  old.controller.set_ceiling(3, old.now);
  Request& waits = old.arrive();
  CHECK(waits.state == State::waiting);
  old.finish(old.requests[0]);
  CHECK(waits.state == State::admitted);
  Request& second = old.arrive();
  CHECK(second.state == State::waiting);
  old.controller.set_ceiling(Controller::kNoCeiling, old.now);
  CHECK(second.state == State::admitted);
}

TEST_CASE("nothing is learned of the limit while the predecessor has requests at the API") {
  Scene next(learning_policy());
  Scene old(learning_policy());
  overload(old, 40, 20s, 250);
  next.controller.restore(old.controller.learned(old.now), next.now);
  const double level = next.controller.learned(next.now).limit.level;
  next.controller.set_elsewhere(1, 0, next.now);
  overload(next, 10, 5s, 250);
  CHECK(next.controller.learned(next.now).limit.level == level);
}

}  // namespace
}  // namespace spillway::admission
