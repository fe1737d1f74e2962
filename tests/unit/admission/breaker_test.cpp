#include "proxy/admission/breaker.hpp"

#include <vector>

#include <doctest/doctest.h>

#include "proxy/admission/retry_budget.hpp"

namespace {

using spillway::Duration;
using spillway::Time;
using namespace spillway::admission;
using spillway::admission::RetryBudget;
using State = Breaker::State;
using Result = Breaker::Result;
using namespace std::chrono_literals;

/// A breaker and its clock. A call does not advance the clock.
struct Scene {
  void call(Result result, Duration latency = 1ms) { breaker.ended(breaker.started(true, now), result, latency, now); }
  void calls(int count, Result result, Duration latency = 1ms) {
    while (count-- > 0) call(result, latency);
  }
  void trip() {
    calls(20, Result::failure);
    REQUIRE(breaker.state() == State::open);
  }
  bool allows(bool body_at_hand = true) { return breaker.allows(body_at_hand, now); }
  /// Makes this latency the usual one.
  void know(Duration latency) {
    calls(UsualLatency::kLeastAnswers, Result::success, latency);
    now += UsualLatency::kPeriod;
  }
  /// Turns half-open and starts so many trials.
  std::vector<Breaker::Pass> begin_trials(int count, bool body_at_hand = true) {
    std::vector<Breaker::Pass> trials;
    while (count-- > 0) {
      REQUIRE(allows(body_at_hand));
      trials.push_back(breaker.started(body_at_hand, now));
    }
    return trials;
  }
  BreakerPolicy policy{};
  Breaker breaker{policy};
  Time now = Time{} + 1000h;
};

TEST_CASE("the breaker opens at the failure ratio, but not before min_requests") {
  Scene scene;
  scene.calls(19, Result::failure);
  CHECK(scene.breaker.state() == State::closed);
  scene.call(Result::failure);
  CHECK(scene.breaker.state() == State::open);
  CHECK_FALSE(scene.allows());

  Scene mixed;
  mixed.calls(100, Result::success);
  mixed.calls(99, Result::failure);
  CHECK(mixed.breaker.state() == State::closed);
  mixed.call(Result::failure);
  CHECK(mixed.breaker.state() == State::open);
}

TEST_CASE("the breaker opens at the ratio of slow calls, even if all succeed") {
  Scene scene;
  scene.know(1ms);
  scene.calls(5, Result::success);
  scene.calls(19, Result::success, 5s);
  CHECK(scene.breaker.state() == State::closed);
  scene.call(Result::success, 5s);
  CHECK(scene.breaker.state() == State::open);
  CHECK(scene.breaker.take_change()->cause == Breaker::Cause::slow);
}

TEST_CASE("long polls do not open the breaker, because they are as slow as usual") {
  Scene scene;
  for (int i = 0; i < 20; ++i) {
    scene.calls(24, Result::success, 6s);
    scene.now += 6s;
    CHECK(scene.breaker.state() == State::closed);
  }
  // Three times the usual latency is slow.
  scene.now += 11s;
  scene.calls(24, Result::success, 19s);
  CHECK(scene.breaker.state() == State::open);
}

TEST_CASE("a lasting slowness becomes usual within half a minute of answers") {
  Scene scene;
  scene.policy.min_requests = 1000;  // so that it does not open meanwhile
  scene.breaker.configure(scene.policy);
  for (int i = 0; i < 6; ++i) scene.know(10ms);
  for (int i = 0; i < 3; ++i) scene.know(6s);
  scene.policy.min_requests = 20;
  scene.breaker.configure(scene.policy);
  scene.calls(100, Result::success, 6s);
  CHECK(scene.breaker.state() == State::closed);
}

TEST_CASE("an ignored result is not counted") {
  Scene scene;
  scene.calls(10, Result::failure);
  scene.calls(100, Result::ignored);
  scene.calls(9, Result::failure);
  CHECK(scene.breaker.state() == State::closed);
}

TEST_CASE("results leave the sliding window") {
  Scene scene;
  scene.calls(19, Result::failure);
  scene.now += 11s;
  scene.calls(19, Result::failure);
  CHECK(scene.breaker.state() == State::closed);
  scene.now += 8s;  // still inside the window
  scene.call(Result::failure);
  CHECK(scene.breaker.state() == State::open);

  Scene long_gone;
  long_gone.calls(19, Result::failure);
  long_gone.now += 100h;
  long_gone.calls(19, Result::failure);
  CHECK(long_gone.breaker.state() == State::closed);
}

TEST_CASE("an unreachable API opens the circuit at the first request") {
  Scene scene;
  scene.calls(1000, Result::success);
  scene.call(Result::unreachable);
  CHECK(scene.breaker.state() == State::open);
}

TEST_CASE("after open_for a few trials run at once, and their success closes the circuit") {
  Scene scene;
  scene.trip();
  CHECK(scene.breaker.remaining(scene.now) == 5s);
  scene.now += 4999ms;
  CHECK_FALSE(scene.allows());
  CHECK(scene.breaker.remaining(scene.now) == 1ms);
  scene.now += 1ms;

  std::vector<Breaker::Pass> trials;
  while (scene.allows()) trials.push_back(scene.breaker.started(true, scene.now));
  CHECK(trials.size() == 5);
  CHECK(scene.breaker.state() == State::half_open);
  CHECK(scene.breaker.remaining(scene.now) == 0s);
  for (const Breaker::Pass trial : trials) {
    CHECK(scene.breaker.state() == State::half_open);
    scene.breaker.ended(trial, Result::success, 1ms, scene.now);
  }
  CHECK(scene.breaker.state() == State::closed);
}

TEST_CASE("an ignored trial is replaced by the next request") {
  Scene scene;
  scene.trip();
  scene.now += 5s;
  for (int i = 0; i < 20; ++i) {
    REQUIRE(scene.allows());
    scene.call(Result::ignored);
  }
  CHECK(scene.breaker.state() == State::half_open);
}

TEST_CASE("a failed or slow trial opens the circuit again for twice as long, up to max_open") {
  Scene scene;
  scene.trip();
  for (const Duration expected : std::vector<Duration>{10s, 20s, 40s, 60s, 60s}) {
    scene.now += scene.breaker.remaining(scene.now);
    REQUIRE(scene.allows());
    expected == 20s ? scene.call(Result::success, 6s) : scene.call(Result::failure);
    CHECK(scene.breaker.state() == State::open);
    CHECK(scene.breaker.remaining(scene.now) == expected);
  }
  // After it has closed, the next opening starts with open_for again.
  scene.breaker.health_succeeded(scene.now);
  scene.calls(5, Result::success);
  scene.trip();
  CHECK(scene.breaker.remaining(scene.now) == 5s);
}

TEST_CASE("a late trial counts as failed, whether or not requests come") {
  for (const bool somebody_comes : {true, false}) {
    CAPTURE(somebody_comes);
    Scene scene;
    scene.trip();
    scene.now += 5s;
    const auto trials = scene.begin_trials(5);
    scene.now += 5s - 1ns;
    scene.breaker.tick(scene.now);
    CHECK_FALSE(scene.allows());
    CHECK(scene.breaker.state() == State::half_open);
    scene.now += 1ns;
    somebody_comes ? static_cast<void>(scene.allows()) : scene.breaker.tick(scene.now);
    CHECK(scene.breaker.state() == State::open);
    CHECK(scene.breaker.take_change()->cause == Breaker::Cause::trial_late);
    CHECK(scene.breaker.remaining(scene.now) == 10s);
    for (const Breaker::Pass trial : trials) scene.breaker.ended(trial, Result::success, 6s, scene.now);
    CHECK(scene.breaker.state() == State::open);
  }
}

TEST_CASE("a trial may take 30 s if no call is slow, and longer if calls usually take longer") {
  Scene no_slow_call;
  no_slow_call.policy.slow_call = 0s;
  no_slow_call.breaker.configure(no_slow_call.policy);
  Scene long_polls;
  long_polls.know(6s);
  for (const auto& [scene, limit] : {std::pair{&no_slow_call, Duration(30s)}, {&long_polls, Duration(18s)}}) {
    CAPTURE(limit.count());
    scene->trip();
    scene->now += 5s;
    scene->begin_trials(1);
    scene->now += limit - 1ns;
    CHECK(scene->allows());
    scene->now += 1ns;
    CHECK_FALSE(scene->allows());
    CHECK(scene->breaker.state() == State::open);
  }
}

TEST_CASE("a trial is a request whose body has arrived") {
  Scene scene;
  scene.trip();
  scene.now += 5s;
  CHECK_FALSE(scene.allows(false));
  CHECK(scene.breaker.state() == State::half_open);
  CHECK(scene.allows(true));

  // If no such request comes for open_for, uploads become trials; a late one is no failure of the API.
  scene.now += 5s;
  const auto uploads = scene.begin_trials(5, false);
  CHECK_FALSE(scene.allows(true));
  scene.now += 5s;
  CHECK(scene.allows(true));
  CHECK(scene.breaker.state() == State::half_open);
  scene.begin_trials(5);
  for (const Breaker::Pass upload : uploads) scene.breaker.ended(upload, Result::failure, 6s, scene.now);
  CHECK(scene.breaker.state() == State::half_open);
}

TEST_CASE("half-open without requests closes after max_open") {
  Scene scene;
  scene.trip();
  scene.now += 5s;
  scene.breaker.tick(scene.now);
  CHECK(scene.breaker.state() == State::half_open);
  scene.now += 60s - 1ns;
  scene.breaker.tick(scene.now);
  CHECK(scene.breaker.state() == State::half_open);
  scene.now += 1ns;
  scene.breaker.tick(scene.now);
  CHECK(scene.breaker.state() == State::closed);
  CHECK(scene.breaker.take_change()->cause == Breaker::Cause::quiet);
  CHECK(scene.breaker.admitted(100, scene.now) == 10);
}

TEST_CASE("each change of state is returned once, with the numbers behind it") {
  Scene scene;
  CHECK_FALSE(scene.breaker.changed());
  scene.calls(10, Result::success);
  scene.calls(10, Result::failure);
  const auto opened = scene.breaker.take_change();
  REQUIRE(opened);
  CHECK(opened->state == State::open);
  CHECK(opened->cause == Breaker::Cause::failures);
  CHECK(opened->requests == 20);
  CHECK(opened->failed == 10);
  CHECK(opened->slow == 0);
  CHECK(opened->lasts == 5s);
  CHECK_FALSE(scene.breaker.changed());
  scene.breaker.health_succeeded(scene.now);
  CHECK(scene.breaker.take_change()->cause == Breaker::Cause::health);
  scene.call(Result::failure);
  CHECK(scene.breaker.take_change()->cause == Breaker::Cause::trial_failed);
  scene.now += 10s;
  CHECK(scene.allows());
  CHECK(scene.breaker.take_change()->cause == Breaker::Cause::time);
  scene.calls(5, Result::success);
  CHECK(scene.breaker.take_change()->cause == Breaker::Cause::trials);
}

TEST_CASE("a successful health poll ends an opening early, and does nothing otherwise") {
  Scene scene;
  scene.breaker.health_succeeded(scene.now);
  CHECK(scene.breaker.state() == State::closed);
  scene.trip();
  scene.breaker.health_succeeded(scene.now);
  CHECK(scene.allows());
  CHECK(scene.breaker.state() == State::half_open);
  scene.calls(5, Result::success);
  CHECK(scene.breaker.state() == State::closed);
}

TEST_CASE("results of requests sent before a change of state are ignored after it") {
  Scene scene;
  const Breaker::Pass before = scene.breaker.started(true, scene.now);
  scene.trip();
  scene.breaker.health_succeeded(scene.now);
  scene.breaker.ended(before, Result::failure, 1ms, scene.now);
  CHECK(scene.breaker.state() == State::half_open);
  scene.calls(5, Result::success);
  for (int i = 0; i < 100; ++i) scene.breaker.ended(before, Result::failure, 30s, scene.now);
  CHECK(scene.breaker.state() == State::closed);
}

TEST_CASE("without answers admission ramps up linearly, over at most the time that the circuit was open") {
  struct Row {
    Duration open, ramp;
  };
  for (const Row& row : {Row{2s, 2s}, Row{4s, 4s}, Row{25s, 5s}}) {
    Scene scene;
    CHECK(scene.breaker.admitted(1000, scene.now) == 1000);
    scene.trip();
    scene.now += row.open;
    scene.breaker.health_succeeded(scene.now);
    scene.calls(5, Result::success);
    CHECK(scene.breaker.admission(1000, scene.now) == doctest::Approx(0.1));
    CHECK(scene.breaker.admission(1000, scene.now + row.ramp / 2) == doctest::Approx(0.55));
    CHECK(scene.breaker.admitted(1000, scene.now + row.ramp - 1ms) < 1000);
    CHECK(scene.breaker.admitted(1000, scene.now + row.ramp) == 1000);
  }
}

TEST_CASE("after closing, each good answer to a request sent since lets one more in, each other one less") {
  Scene scene;
  scene.trip();
  scene.now += 4s;
  const Time before = scene.now;
  scene.breaker.health_succeeded(scene.now);
  scene.now += 1ms;
  scene.calls(5, Result::success);
  CHECK(scene.breaker.admitted(20, scene.now) == 5);  // as many as the trials
  scene.breaker.proved(true, before, scene.now);
  CHECK(scene.breaker.admitted(20, scene.now) == 5);
  for (int i = 0; i < 12; ++i) scene.breaker.proved(true, scene.now, scene.now);
  CHECK(scene.breaker.admitted(20, scene.now) == 17);
  scene.breaker.proved(false, scene.now, scene.now);
  CHECK(scene.breaker.admitted(20, scene.now) == 16);
  for (int i = 0; i < 12; ++i) scene.breaker.proved(true, scene.now, scene.now);
  CHECK(scene.breaker.admitted(20, scene.now) == 20);
  CHECK(scene.breaker.admitted(1, scene.now) == 1);

  // The next opening proves nothing: what was shown before it is forgotten.
  scene.trip();
  scene.breaker.health_succeeded(scene.now);
  scene.calls(5, Result::success);
  CHECK(scene.breaker.admitted(20, scene.now) == 5);
}

TEST_CASE("an answer that takes three times as long as usual is not usual") {
  Scene scene;
  CHECK(scene.breaker.usual(1h, scene.now));
  scene.know(10ms);
  CHECK(scene.breaker.usual(30ms - 1ns, scene.now));
  CHECK_FALSE(scene.breaker.usual(30ms, scene.now));
}

TEST_CASE("a disabled breaker never opens, and disabling closes an open one") {
  Scene scene;
  scene.trip();
  scene.policy.enabled = false;
  scene.breaker.configure(scene.policy);
  CHECK(scene.allows());
  scene.calls(100, Result::unreachable);
  CHECK(scene.breaker.state() == State::closed);
}

TEST_CASE("retries may be a share of the requests in flight, and at least three") {
  struct Row {
    int in_flight, places;
  };
  for (const Row& row : {Row{0, 3}, Row{15, 3}, Row{20, 4}, Row{100, 20}}) {
    RetryBudget budget(0.20);
    int taken = 0;
    while (budget.take(row.in_flight)) ++taken;
    CHECK(taken == row.places);
    budget.give_back();
    CHECK(budget.take(row.in_flight));
    CHECK_FALSE(budget.take(row.in_flight));
  }
}

}  // namespace
