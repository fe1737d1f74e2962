#include "proxy/admission/breaker.hpp"

#include <vector>

#include <doctest/doctest.h>

#include "proxy/admission/retry_budget.hpp"

namespace {

using spillway::Duration;
using spillway::Time;
using namespace spillway::upstream;
using State = Breaker::State;
using Result = Breaker::Result;
using namespace std::chrono_literals;

/// A breaker with its clock. A call takes no time unless told.
struct Scene {
  void call(Result result, Duration latency = 1ms) { breaker.ended(breaker.started(), result, latency, now); }
  void calls(int count, Result result, Duration latency = 1ms) {
    while (count-- > 0) call(result, latency);
  }
  void trip() {
    calls(20, Result::failure);
    REQUIRE(breaker.state() == State::open);
  }
  BreakerPolicy policy{};
  Breaker breaker{policy};
  Time now = Time{} + 1000h;
};

TEST_CASE("opens at the failure ratio, and not before enough requests say so") {
  Scene scene;
  scene.calls(19, Result::failure);
  CHECK(scene.breaker.state() == State::closed);
  scene.call(Result::failure);
  CHECK(scene.breaker.state() == State::open);
  CHECK_FALSE(scene.breaker.allows(scene.now));

  Scene mixed;
  mixed.calls(100, Result::success);
  mixed.calls(99, Result::failure);
  CHECK(mixed.breaker.state() == State::closed);
  mixed.call(Result::failure);
  CHECK(mixed.breaker.state() == State::open);
}

TEST_CASE("opens at the ratio of slow calls, though all succeed") {
  Scene scene;
  scene.calls(5, Result::success);
  scene.calls(19, Result::success, 5s);
  CHECK(scene.breaker.state() == State::closed);
  scene.call(Result::success, 5s);
  CHECK(scene.breaker.state() == State::open);
}

TEST_CASE("what was ignored counts for nothing") {
  Scene scene;
  scene.calls(10, Result::failure);
  scene.calls(100, Result::ignored);
  scene.calls(9, Result::failure);
  CHECK(scene.breaker.state() == State::closed);
}

TEST_CASE("results slide out of the window") {
  Scene scene;
  scene.calls(19, Result::failure);
  scene.now += 11s;
  scene.calls(19, Result::failure);
  CHECK(scene.breaker.state() == State::closed);
  scene.now += 8s;  // still inside
  scene.call(Result::failure);
  CHECK(scene.breaker.state() == State::open);

  Scene long_gone;
  long_gone.calls(19, Result::failure);
  long_gone.now += 100h;
  long_gone.calls(19, Result::failure);
  CHECK(long_gone.breaker.state() == State::closed);
}

TEST_CASE("an API that nobody listens for opens the circuit at the first request") {
  Scene scene;
  scene.calls(1000, Result::success);
  scene.call(Result::unreachable);
  CHECK(scene.breaker.state() == State::open);
}

TEST_CASE("after its time a few trials at once decide: all well closes it") {
  Scene scene;
  scene.trip();
  CHECK(scene.breaker.remaining(scene.now) == 5s);
  scene.now += 4999ms;
  CHECK_FALSE(scene.breaker.allows(scene.now));
  CHECK(scene.breaker.remaining(scene.now) == 1ms);
  scene.now += 1ms;

  std::vector<std::uint32_t> trials;
  while (scene.breaker.allows(scene.now)) trials.push_back(scene.breaker.started());
  CHECK(trials.size() == 5);
  CHECK(scene.breaker.state() == State::half_open);
  CHECK(scene.breaker.remaining(scene.now) == 0s);
  for (const std::uint32_t trial : trials) {
    CHECK(scene.breaker.state() == State::half_open);
    scene.breaker.ended(trial, Result::success, 1ms, scene.now);
  }
  CHECK(scene.breaker.state() == State::closed);
}

TEST_CASE("a trial that says nothing gives its place to the next") {
  Scene scene;
  scene.trip();
  scene.now += 5s;
  for (int i = 0; i < 20; ++i) {
    REQUIRE(scene.breaker.allows(scene.now));
    scene.call(Result::ignored);
  }
  CHECK(scene.breaker.state() == State::half_open);
}

TEST_CASE("a failed or slow trial opens it again for twice as long, up to max_open") {
  Scene scene;
  scene.trip();
  for (const Duration expected : std::vector<Duration>{10s, 20s, 40s, 60s, 60s}) {
    scene.now += scene.breaker.remaining(scene.now);
    REQUIRE(scene.breaker.allows(scene.now));
    expected == 20s ? scene.call(Result::success, 6s) : scene.call(Result::failure);
    CHECK(scene.breaker.state() == State::open);
    CHECK(scene.breaker.remaining(scene.now) == expected);
  }
  // Once closed, the next opening starts from the beginning.
  scene.breaker.health_succeeded();
  scene.calls(5, Result::success);
  scene.trip();
  CHECK(scene.breaker.remaining(scene.now) == 5s);
}

TEST_CASE("a successful health poll ends an opening early, and does nothing otherwise") {
  Scene scene;
  scene.breaker.health_succeeded();
  CHECK(scene.breaker.state() == State::closed);
  scene.trip();
  scene.breaker.health_succeeded();
  CHECK(scene.breaker.allows(scene.now));
  CHECK(scene.breaker.state() == State::half_open);
  scene.calls(5, Result::success);
  CHECK(scene.breaker.state() == State::closed);
}

TEST_CASE("results of requests sent before a change of state count for nothing after it") {
  Scene scene;
  const std::uint32_t before = scene.breaker.started();
  scene.trip();
  scene.breaker.health_succeeded();
  scene.breaker.ended(before, Result::failure, 1ms, scene.now);
  CHECK(scene.breaker.state() == State::half_open);
  scene.calls(5, Result::success);
  for (int i = 0; i < 100; ++i) scene.breaker.ended(before, Result::failure, 30s, scene.now);
  CHECK(scene.breaker.state() == State::closed);
}

TEST_CASE("after closing, admission comes back linearly, over no more time than the circuit was open") {
  struct Row {
    Duration open, ramp;
  };
  for (const Row& row : {Row{2s, 2s}, Row{4s, 4s}, Row{25s, 5s}}) {
    Scene scene;
    CHECK(scene.breaker.admission(scene.now) == 1);
    scene.trip();
    scene.now += row.open;
    scene.breaker.health_succeeded();
    scene.calls(5, Result::success);
    CHECK(scene.breaker.admission(scene.now) == doctest::Approx(0.1));
    CHECK(scene.breaker.admission(scene.now + row.ramp / 2) == doctest::Approx(0.55));
    CHECK(scene.breaker.admission(scene.now + row.ramp - 1ms) < 1);
    CHECK(scene.breaker.admission(scene.now + row.ramp) == 1);
  }
}

TEST_CASE("disabled, it never opens, and lets go of an opening") {
  Scene scene;
  scene.trip();
  scene.policy.enabled = false;
  scene.breaker.configure(scene.policy);
  CHECK(scene.breaker.allows(scene.now));
  scene.calls(100, Result::unreachable);
  CHECK(scene.breaker.state() == State::closed);
}

TEST_CASE("retries have a share of the requests in flight, and at least three places") {
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
