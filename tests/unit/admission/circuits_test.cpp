// How the controller reacts to failing, unreachable and overloaded APIs: a breaker for each class, one for all classes,
// and the requests that the API sheds itself.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/unit/admission/scene.hpp"
#include "tests/unit/admission/simulation.hpp"

namespace {

using namespace spillway::admission;
using namespace std::chrono_literals;
using scene::BreakerState;
using scene::policy_of_10;
using scene::Scene;
using scene::State;
using spillway::Duration;
using spillway::Time;

constexpr int kNormal = 0, kCritical = 1;

Request of(int class_index) {
  Request request;
  request.class_index = class_index;
  return request;
}

TEST_CASE("a failing API opens the breaker: waiting and new requests are refused, with the time left as Retry-After") {
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
  CHECK(scene.controller.retry_after(late, 0, scene.now) == 2);
  CHECK(scene.controller.retry_after(0) == 5);
}

TEST_CASE("an unreachable API costs one failure, then requests are refused until the first successful health poll") {
  Scene scene;
  scene.serve(100, Completion::success, 1ms);
  scene.serve(1, Completion::unreachable, 1ms);
  CHECK(scene.arrive().reason == Reason::breaker);
  scene.now += 1s;
  scene.controller.polled(true, scene.now);

  // A few trials run at a time; other requests do not wait for them.
  scene.fill(5);
  const Request& sixth = scene.arrive();
  CHECK(sixth.state == State::refused);
  CHECK(sixth.reason == Reason::breaker);
  for (Request& request : scene.requests) {
    if (request.state == State::admitted) scene.finish(request);
  }
  CHECK(scene.snapshot().breaker == BreakerState::closed);

  // It ramps up over one second, as long as the API was unreachable, from what the trials have shown.
  CHECK(scene.controller.limit() == 5);
  scene.now += 501ms;
  scene.controller.tick(scene.now);
  CHECK(scene.controller.limit() == 5);
  scene.now += 500ms;
  scene.fill(8);
  CHECK(scene.controller.limit() == 10);
}

Policy policy_of_one_trial() {
  Policy policy = policy_of_10();
  policy.breaker.trial_requests = 1;
  return policy;
}

TEST_CASE("the ramp admits waiting requests without any other event") {
  Scene scene(policy_of_one_trial());
  scene.serve(1, Completion::unreachable, 1ms);
  scene.now += 1s;
  scene.controller.polled(true, scene.now);
  scene.serve(1, Completion::success, 1us);
  scene.fill(1);
  Request& waiting = scene.arrive();
  REQUIRE(waiting.state == State::waiting);
  scene.now += 300ms;
  scene.controller.tick(scene.now);
  CHECK(scene.controller.next_decided() == &waiting);
  CHECK(waiting.state == State::admitted);
}

TEST_CASE("failures of one class open only the breaker of that class") {
  Scene scene;
  scene.serve(20, Completion::dropped, 1ms, of(kCritical));
  const Snapshot snapshot = scene.snapshot();
  CHECK(snapshot.classes[kCritical].breaker == BreakerState::open);
  CHECK(snapshot.classes[kNormal].breaker == BreakerState::closed);
  CHECK(snapshot.reach_breaker == BreakerState::closed);
  CHECK(snapshot.breaker == BreakerState::open);  // the worst state of all breakers
  CHECK(scene.controller.breaker_state() == BreakerState::open);
  CHECK(scene.arrive(of(kCritical)).reason == Reason::breaker);
  scene.fill(8, of(kNormal));

  // Requests of the other class keep waiting when this breaker opens again.
  Request& waiting = scene.arrive(of(kNormal));
  REQUIRE(waiting.state == State::waiting);
  scene.controller.polled(true, scene.now);
  Request& trial = scene.arrive(of(kCritical));
  REQUIRE(trial.state == State::admitted);
  scene.finish(trial, Completion::dropped);
  CHECK(scene.snapshot().classes[kCritical].breaker == BreakerState::open);
  CHECK(waiting.state == State::waiting);
}

TEST_CASE("only the class whose breaker was open ramps up") {
  Scene scene(policy_of_one_trial());
  scene.serve(20, Completion::dropped, 1ms, of(kCritical));
  scene.now += 5s;
  scene.serve(1, Completion::success, 1ms, of(kCritical));
  CHECK(scene.snapshot().classes[kCritical].breaker == BreakerState::closed);
  CHECK(scene.controller.limit() == 10);
  CHECK(scene.arrive(of(kCritical)).state == State::admitted);
  Request& second = scene.arrive(of(kCritical));
  CHECK(second.state == State::waiting);
  scene.fill(7, of(kNormal));
  scene.now += 2s;
  scene.controller.tick(scene.now);
  CHECK(second.state == State::refused);  // after max_wait; the ramp was not over
  scene.now += 3100ms;
  scene.fill(2, of(kCritical));
}

TEST_CASE("the breaker for all classes opens at once if the API is unreachable, and by ratio if connects time out") {
  Scene gone;
  gone.serve(1, Completion::unreachable, 1ms);
  CHECK(gone.snapshot().reach_breaker == BreakerState::open);
  CHECK(gone.arrive(of(kNormal)).reason == Reason::breaker);
  CHECK(gone.arrive(of(kCritical)).reason == Reason::breaker);

  Scene late;
  late.serve(10, Completion::success, 1ms);
  late.serve(9, Completion::connect_timeout, 1ms);
  CHECK(late.snapshot().breaker == BreakerState::closed);
  late.serve(1, Completion::connect_timeout, 1ms);
  CHECK(late.snapshot().reach_breaker == BreakerState::open);
  CHECK(late.snapshot().classes[kNormal].breaker == BreakerState::closed);

  // Any answer shows that the API can be reached.
  for (const Completion completion : {Completion::dropped, Completion::shed, Completion::ignore}) {
    Scene answered;
    answered.serve(1, completion, 1ms);
    CHECK(answered.snapshot().reach_breaker == BreakerState::closed);
  }
}

TEST_CASE("a trial of the breaker for all classes ends with its connect, however long the answer takes") {
  Scene scene;
  scene.serve(1, Completion::unreachable, 1ms);
  scene.controller.polled(true, scene.now);
  for (int i = 0; i < 5; ++i) {
    Request& trial = scene.arrive();
    REQUIRE(trial.state == State::admitted);
    REQUIRE(trial.reach_pass.trial != 0);
    scene.controller.reached(trial, scene.now);
  }
  CHECK(scene.snapshot().reach_breaker == BreakerState::closed);
  scene.now += 10s;
  scene.finish(scene.requests.back(), Completion::dropped);
  CHECK(scene.snapshot().reach_breaker == BreakerState::closed);
}

TEST_CASE("five trials that never end do not keep the breaker half-open") {
  Scene scene;
  scene.serve(20, Completion::dropped, 1ms);
  scene.now += 5s;
  scene.fill(5);
  CHECK(scene.arrive().reason == Reason::breaker);
  scene.now += 5s;  // slow_call
  CHECK(scene.arrive().reason == Reason::breaker);
  CHECK(scene.snapshot().classes[kNormal].breaker == BreakerState::open);
  scene.controller.polled(true, scene.now);
  for (int i = 0; i < 5; ++i) scene.serve(1, Completion::success, 1ms);
  CHECK(scene.snapshot().breaker == BreakerState::closed);
}

TEST_CASE("each change of a breaker names its class") {
  Scene scene;
  CHECK_FALSE(scene.controller.next_breaker_change());
  scene.serve(20, Completion::dropped, 1ms, of(kCritical));
  const auto opened = scene.controller.next_breaker_change();
  REQUIRE(opened);
  CHECK(opened->class_name == "critical");
  CHECK(opened->change.failed == 20);
  CHECK_FALSE(scene.controller.next_breaker_change());
  scene.serve(1, Completion::unreachable, 1ms);
  const auto gone = scene.controller.next_breaker_change();
  REQUIRE(gone);
  CHECK(gone->class_name.empty());
  scene.controller.polled(true, scene.now);
  std::string names;
  while (const auto change = scene.controller.next_breaker_change()) names += std::string(change->class_name) + ";";
  CHECK(names == ";critical;");
}

TEST_CASE("Retry-After of a breaker tells when it may admit again") {
  struct Row {
    const char* why;
    bool polled, healthy;
    int told;
  };
  for (const Row& row : {Row{"nobody polls: when the opening is over", false, false, 60},
                         Row{"polls go well: with the next", true, true, 1},
                         Row{"polls fail: nobody knows, so the usual", true, false, 5}}) {
    CAPTURE(row.why);
    Policy policy = policy_of_10();
    policy.breaker.open_for = policy.breaker.max_open = 60s;
    if (row.polled) policy.poll_interval = 1s;
    Scene scene(policy);
    if (row.polled) scene.controller.polled(row.healthy, scene.now - 100ms);
    scene.serve(20, Completion::dropped, 1ms);
    const Request& refused = scene.arrive();
    REQUIRE(refused.reason == Reason::breaker);
    CHECK(scene.controller.retry_after(refused, 0, scene.now) == row.told);
    CHECK(scene.controller.retry_after(refused, 0xffffffff, scene.now) > row.told);
  }
}

TEST_CASE("requests that the API sheds are not failures, however many they are") {
  Scene scene;
  for (int i = 0; i < 500; ++i) {
    Request& request = scene.arrive();
    scene.now += 10ms;
    if (request.state == State::admitted) scene.finish(request, Completion::shed);
    CHECK(request.reason != Reason::breaker);
  }
  CHECK(scene.snapshot().breaker == BreakerState::closed);
}

TEST_CASE("a class that the API sheds is sent a little more than the API accepts, and other classes are not affected") {
  Scene scene;
  int sent = 0, taken = 0, refused = 0;
  for (int i = 0; i < 10'000; ++i, scene.now += 1ms) {  // the API accepts every tenth
    Request& login = scene.arrive(of(kCritical));
    if (login.state == State::refused) {
      CHECK(login.reason == Reason::capacity);
      ++refused;
    } else {
      const bool takes = i % 10 == 0;
      ++sent;
      taken += takes;
      scene.finish(login, takes ? Completion::success : Completion::shed);
    }
    Request& other = scene.arrive(of(kNormal));
    REQUIRE(other.state == State::admitted);
    scene.finish(other);
  }
  CHECK(scene.snapshot().classes[kCritical].api_sheds);
  CHECK_FALSE(scene.snapshot().classes[kNormal].api_sheds);
  CHECK(sent < 200);
  CHECK(sent >= 10);  // at least one a second is sent
  CHECK(refused == 10'000 - sent);
  scene.now += ApiShedding::kEnd;
  CHECK_FALSE(scene.snapshot().classes[kCritical].api_sheds);
  scene.fill(10, of(kCritical));
}

TEST_CASE("what the API sheds at one endpoint holds up no request of the same class to another") {
  Policy policy = policy_of_10();
  policy.classes[kCritical].rules = 2;  // health checks and logins
  Scene scene(policy);
  Request health = of(kCritical), login = of(kCritical);
  login.rule = 1;
  int logins = 0;
  for (int i = 0; i < 1000; ++i, scene.now += 10ms) {
    Request& asks = scene.arrive(login);
    logins += asks.state == State::admitted;
    if (asks.state == State::admitted) scene.finish(asks, Completion::shed);
    Request& poll = scene.arrive(health);
    REQUIRE(poll.state == State::admitted);
    scene.finish(poll);
  }
  CHECK(logins < 50);
  CHECK(scene.snapshot().classes[kCritical].api_sheds);
}

TEST_CASE("who waits for a slot is told once the API sheds all that it is sent") {
  Scene scene;
  scene.fill(10, of(kCritical));
  for (int i = 0; i < 10; ++i) REQUIRE(scene.arrive(of(kCritical)).state == State::waiting);
  for (std::size_t i = 0; i < 10; ++i) scene.finish(scene.requests[i], Completion::shed);
  for (std::size_t i = 10; i < 19; ++i) CHECK(scene.requests[i].state == State::admitted);
  CHECK(scene.requests[19].state == State::refused);  // the slot of the tenth is free
  CHECK(scene.requests[19].reason == Reason::capacity);
}

TEST_CASE("a client that the API finds too fast shuts nobody else out, nor do requests to an endpoint that is down") {
  struct Row {
    Completion completion;
    int each_second;
  };
  for (const Row& row : {Row{Completion::rate_limited, 1000}, Row{Completion::shed, 40}}) {
    Scene scene;
    int sent = 0;
    for (int i = 0; i < 10'000; ++i, scene.now += 1ms) {
      if (i % (1000 / row.each_second) == 0) {
        Request& bad = scene.arrive();
        REQUIRE(bad.state == State::admitted);
        scene.finish(bad, row.completion);
      }
      if (i % 10 != 0) continue;
      Request& good = scene.arrive();
      REQUIRE(good.state == State::admitted);
      scene.finish(good);
      ++sent;
    }
    CHECK(sent == 1000);
    CHECK(scene.snapshot().breaker == BreakerState::closed);
    CHECK_FALSE(scene.snapshot().classes[kNormal].api_sheds);
  }
}

TEST_CASE("an answer about a client's rate says nothing of the API but that it is reached") {
  Policy policy = policy_of_10();
  policy.adaptive = {.enabled = true, .min = 4};
  Scene scene(policy);
  scene.serve(100, Completion::success, 100ms);
  const int limit = scene.controller.limit();
  scene.serve(1000, Completion::rate_limited, 1ms);
  CHECK(scene.snapshot().classes[kNormal].service_time == 100ms);
  CHECK(scene.controller.limit() == limit);
}

TEST_CASE("an API that sheds all classes lowers the learned limit; one that sheds a single class does not") {
  for (const bool serves_others : {false, true}) {
    CAPTURE(serves_others);
    Policy policy = policy_of_10();
    policy.max_concurrent = 100;
    policy.adaptive = {.enabled = true, .min = 4};
    Scene scene(policy);
    const int before = scene.controller.limit();
    for (int i = 0; i < 5000; ++i, scene.now += 2ms) {
      if (serves_others) {
        Request& other = scene.arrive(of(kNormal));
        if (other.state == State::admitted) scene.finish(other);
      }
      Request& login = scene.arrive(of(kCritical));
      if (login.state == State::admitted) scene.finish(login, i % 4 == 0 ? Completion::success : Completion::shed);
    }
    CHECK((scene.controller.limit() >= before) == serves_others);
  }
}

}  // namespace
