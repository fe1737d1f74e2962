// The order in which the controller asks its parts, and what each answer means for the request.
#include <deque>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/admission/controller.hpp"

namespace {

using namespace spillway::admission;
using spillway::Duration;
using spillway::Time;
using State = Request::State;
using BreakerState = spillway::upstream::Breaker::State;
using namespace std::chrono_literals;

Policy policy_of_10() {
  Policy policy;
  policy.max_concurrent = 10;
  policy.classes = {{"normal", 0.80}, {"critical", 1.00}};
  policy.queue = {.max_length = 10, .max_wait = 1s};
  policy.breaker = {.enabled = true};
  return policy;
}

struct Scene {
  explicit Scene(Policy policy = policy_of_10()) : controller(std::move(policy)) {}

  Request& arrive(Request request = {}) {
    requests.push_back(request);
    controller.arrive(requests.back(), now);
    return requests.back();
  }
  void fill(int count, Request like = {}) {
    while (count-- > 0) REQUIRE(arrive(like).state == State::admitted);
  }
  void finish(Request& request, Completion completion = Completion::success) {
    controller.finish(request, completion, now);
  }
  /// One request after another, each taking so long.
  void serve(int count, Completion completion, Duration taken) {
    while (count-- > 0) {
      Request& request = arrive();
      REQUIRE(request.state == State::admitted);
      now += taken;
      finish(request, completion);
    }
  }
  Snapshot snapshot() const { return controller.snapshot(now); }

  Controller controller;
  Time now = Time{} + 1h;
  std::deque<Request> requests;
};

TEST_CASE("a failing API opens the breaker: who waits and who comes is refused, with the time left as Retry-After") {
  Scene scene;
  scene.serve(12, Completion::dropped, 1ms);
  scene.fill(8);
  Request& waiting = scene.arrive();
  REQUIRE(waiting.state == State::waiting);
  for (Request& request : scene.requests) {
    if (request.state == State::admitted) scene.finish(request, Completion::dropped);
    while (scene.controller.next_decided()) {
    }
  }
  REQUIRE(scene.snapshot().breaker == BreakerState::open);
  CHECK(scene.controller.queue_length() == 0);

  const Request& late = scene.arrive();
  CHECK(late.state == State::refused);
  CHECK(late.reason == Reason::breaker);
  scene.now += 3500ms;
  CHECK(scene.controller.retry_after(Reason::breaker, 0, scene.now) == 2);
  CHECK(scene.controller.retry_after(Reason::capacity, 0, scene.now) == 5);
}

TEST_CASE("nobody listens: one failure, then refusals; the API is back within the first good health poll") {
  Scene scene;
  scene.serve(100, Completion::success, 1ms);
  scene.serve(1, Completion::unreachable, 1ms);
  CHECK(scene.arrive().reason == Reason::breaker);
  scene.now += 1s;
  scene.controller.health_succeeded();

  // A few trials at a time, the others do not wait for them.
  scene.fill(5);
  const Request& sixth = scene.arrive();
  CHECK(sixth.state == State::refused);
  CHECK(sixth.reason == Reason::breaker);
  for (Request& request : scene.requests) {
    if (request.state == State::admitted) scene.finish(request);
  }
  CHECK(scene.snapshot().breaker == BreakerState::closed);

  // Back to the whole limit over the second it was away.
  CHECK(scene.controller.limit() == 1);
  scene.now += 501ms;
  scene.controller.tick(scene.now);
  CHECK(scene.controller.limit() == 5);
  scene.now += 500ms;
  scene.fill(8);
  CHECK(scene.controller.limit() == 10);
}

TEST_CASE("the ramp lets in who waits, without any other event") {
  Scene scene;
  scene.serve(1, Completion::unreachable, 1ms);
  scene.now += 1s;
  scene.controller.health_succeeded();
  scene.serve(5, Completion::success, 1us);
  scene.fill(1);
  Request& waiting = scene.arrive();
  REQUIRE(waiting.state == State::waiting);
  scene.now += 300ms;
  scene.controller.tick(scene.now);
  CHECK(scene.controller.next_decided() == &waiting);
  CHECK(waiting.state == State::admitted);
}

TEST_CASE("a request that cannot finish in what its client leaves it is refused with `deadline`") {
  Scene scene;
  scene.serve(20, Completion::success, 100ms);
  Request in_time, too_late;
  in_time.deadline = scene.now + 101ms;
  too_late.deadline = scene.now + 99ms;
  CHECK(scene.arrive(in_time).state == State::admitted);
  CHECK(scene.arrive(too_late).reason == Reason::deadline);

  // When all slots are taken, one becomes free every 10 ms, and nine are ahead.
  scene.fill(7);
  for (int i = 0; i < 9; ++i) REQUIRE(scene.arrive().state == State::waiting);
  in_time.deadline = scene.now + 201ms;
  too_late.deadline = scene.now + 199ms;
  CHECK(scene.arrive(too_late).reason == Reason::deadline);
  CHECK(scene.arrive(in_time).state == State::waiting);
}

TEST_CASE("a deadline that passes while waiting: refused instead of sent, and the next one is served") {
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

TEST_CASE("the API's pool refuses each class at its share, before any slot is looked at") {
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

TEST_CASE("while shedding, who holds more than his share is refused with `fairness`; while not, he may have all") {
  Scene scene;
  Request greedy, other;
  greedy.key = 1;
  other.key = 2;
  scene.fill(8, greedy);
  CHECK(scene.arrive(greedy).reason == Reason::fairness);
  CHECK(scene.arrive(other).state == State::waiting);
  CHECK(scene.arrive().state == State::waiting);  // no key, no fairness
  CHECK(scene.snapshot().keys == 2);

  // What waits counts: five places at most.
  for (int i = 0; i < 4; ++i) CHECK(scene.arrive(other).state == State::waiting);
  CHECK(scene.arrive(other).reason == Reason::fairness);
}

TEST_CASE("shadow asks the same questions and sends everybody on") {
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

TEST_CASE("off asks nothing") {
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

TEST_CASE("what the API took is measured between sending and answer, where the driver tells them") {
  Scene scene;
  Request& request = scene.arrive();
  request.sent = scene.now + 5ms;       // after connecting
  request.answered = scene.now + 25ms;  // a slow client reads on
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
  CHECK(snapshot.classes[0].estimated_wait == 20ms);
  CHECK(snapshot.classes[1].reserve == 2);
  CHECK(snapshot.classes[1].estimated_wait == 0ms);
}

}  // namespace
