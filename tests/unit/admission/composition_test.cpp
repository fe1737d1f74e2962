// The order in which the controller asks its parts, and the effect of each answer.
#include <doctest/doctest.h>

#include "tests/unit/admission/scene.hpp"

namespace {

using namespace spillway::admission;
using namespace std::chrono_literals;
using scene::BreakerState;
using scene::policy_of_10;
using scene::Scene;
using scene::State;

TEST_CASE("a request that cannot finish before its deadline is refused with `deadline`") {
  Scene scene;
  scene.serve(20, Completion::success, 100ms);
  Request in_time, too_late;
  in_time.deadline = scene.now + 101ms;
  too_late.deadline = scene.now + 99ms;
  CHECK(scene.arrive(in_time).state == State::admitted);
  CHECK(scene.arrive(too_late).reason == Reason::deadline);

  // While all eight slots of the class are in use, one becomes free every 12.5 ms, and nine requests are ahead.
  scene.fill(7);
  for (int i = 0; i < 9; ++i) REQUIRE(scene.arrive().state == State::waiting);
  in_time.deadline = scene.now + 226ms;
  too_late.deadline = scene.now + 224ms;
  CHECK(scene.arrive(too_late).reason == Reason::deadline);
  CHECK(scene.arrive(in_time).state == State::waiting);
}

TEST_CASE("a waiting request whose deadline cannot be met is refused, and the next one is served") {
  Scene scene;
  scene.fill(8);
  Request hurried;
  hurried.deadline = scene.now + 50ms;
  Request& expired = scene.arrive(hurried);
  Request& patient = scene.arrive();
  REQUIRE(expired.state == State::waiting);
  scene.now += 60ms;
  scene.finish(scene.requests.front(), Completion::ignore);
  CHECK(expired.state == State::refused);
  CHECK(expired.reason == Reason::deadline);
  CHECK(patient.state == State::admitted);
}

TEST_CASE("the database pool refuses each class at its share, whatever slots are free") {
  Scene scene;
  scene.controller.observe({.capacity = 50, .in_use = 40}, scene.now);
  Request critical;
  critical.class_index = 1;
  CHECK(scene.arrive().reason == Reason::pool);
  CHECK(scene.arrive(critical).state == State::admitted);
  scene.now += 3s;
  CHECK(scene.arrive().state == State::admitted);

  Policy unaware = policy_of_10();
  unaware.pool_aware = false;
  Scene blind(unaware);
  blind.controller.observe({.capacity = 50, .in_use = 50}, blind.now);
  CHECK(blind.arrive().state == State::admitted);
}

TEST_CASE("a waiting request is not served while the pool is exhausted, and is served when it has room again") {
  Scene scene;
  scene.fill(8);
  Request& waiting = scene.arrive();
  REQUIRE(waiting.state == State::waiting);
  scene.controller.observe({.capacity = 50, .in_use = 45}, scene.now);
  scene.finish(scene.requests.front());
  CHECK(waiting.state == State::waiting);
  Request critical;
  critical.class_index = 1;
  Request& other = scene.arrive(critical);
  CHECK(other.state == State::admitted);
  scene.finish(other);
  CHECK(waiting.state == State::waiting);
  scene.controller.observe({.capacity = 50, .in_use = 20}, scene.now);
  CHECK(scene.controller.next_decided() == &waiting);
  CHECK(waiting.state == State::admitted);
}

TEST_CASE("a request that waited until max_wait because of the pool is refused with `pool`") {
  Scene scene;
  scene.fill(8);
  Request& waiting = scene.arrive();
  scene.now += 1s;
  scene.controller.observe({.capacity = 50, .in_use = 45}, scene.now);
  CHECK(scene.controller.next_decided() == &waiting);
  CHECK(waiting.reason == Reason::pool);
}

TEST_CASE(
    "while no slot is free, a client above its share is refused with `fairness`; otherwise it may use all slots") {
  Scene scene;
  Request greedy, other;
  greedy.key = 1;
  other.key = 2;
  scene.fill(8, greedy);
  CHECK(scene.arrive(greedy).reason == Reason::fairness);
  CHECK(scene.arrive(other).state == State::waiting);
  CHECK(scene.arrive().state == State::waiting);  // no key, no fairness
  CHECK(scene.snapshot().keys == 2);

  // Waiting requests count, too: half of the eight slots of the class.
  for (int i = 0; i < 3; ++i) CHECK(scene.arrive(other).state == State::waiting);
  CHECK(scene.arrive(other).reason == Reason::fairness);
}

TEST_CASE("shadow makes the same decisions and admits every request") {
  Policy policy = policy_of_10();
  policy.mode = Mode::shadow;
  Scene scene(policy);
  scene.controller.observe({.capacity = 50, .in_use = 50}, scene.now);
  const Request& pool = scene.arrive();
  CHECK(pool.state == State::admitted);
  CHECK(pool.shadow_refused);
  CHECK(pool.reason == Reason::pool);

  scene.now += 3s;
  scene.serve(1, Completion::unreachable, 1ms);
  const Request& breaker = scene.arrive();
  CHECK(breaker.state == State::admitted);
  CHECK(breaker.reason == Reason::breaker);
}

TEST_CASE("off admits every request without a decision") {
  Policy policy = policy_of_10();
  policy.mode = Mode::off;
  Scene scene(policy);
  scene.serve(1, Completion::unreachable, 1ms);
  scene.controller.observe({.capacity = 50, .in_use = 50}, scene.now);
  Request expired;
  expired.deadline = scene.now - 1s;
  scene.fill(100, expired);
  for (const Request& request : scene.requests) CHECK_FALSE(request.shadow_refused);
}

TEST_CASE("the latency of the API is measured from `sent` to `answered` if the driver sets them") {
  Scene scene;
  Request& request = scene.arrive();
  request.sent = scene.now + 5ms;       // after connecting
  request.answered = scene.now + 25ms;  // a slow client still reads
  scene.now += 10s;
  scene.finish(request);
  CHECK(scene.snapshot().classes[0].service_time == 20ms);
}

TEST_CASE("the snapshot shows the numbers behind a decision") {
  Policy policy = policy_of_10();
  policy.classes[1].reserve = 2;
  Scene scene(policy);
  scene.serve(20, Completion::success, 100ms);
  scene.controller.observe({.capacity = 50, .in_use = 10}, scene.now);
  scene.fill(8);
  scene.arrive();
  const Snapshot snapshot = scene.snapshot();
  CHECK(snapshot.in_flight == 8);
  CHECK(snapshot.limit == 10);
  CHECK(snapshot.queue_length == 1);
  CHECK(snapshot.pool_capacity_pct == doctest::Approx(20));
  CHECK(snapshot.breaker == BreakerState::closed);
  REQUIRE(snapshot.classes.size() == 2);
  CHECK(snapshot.classes[0].name == "normal");
  CHECK(snapshot.classes[0].share == 8);
  CHECK(snapshot.classes[0].in_flight == 8);
  CHECK(snapshot.classes[0].waiting == 1);
  CHECK(snapshot.classes[0].service_time == 100ms);
  CHECK(snapshot.classes[0].estimated_wait == 25ms);
  CHECK(snapshot.classes[1].reserve == 2);
  CHECK(snapshot.classes[1].estimated_wait == 0ms);
}

}  // namespace
