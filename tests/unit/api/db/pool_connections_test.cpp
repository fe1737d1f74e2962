#include <doctest/doctest.h>

#include "tests/unit/api/db/pool_policy_scene.hpp"

namespace api::db {
namespace {

using namespace std::chrono_literals;

TEST_CASE("Recycling: a connection past its age is replaced at checkout") {
  PoolSettings settings = small(1, 0);
  settings.recycle = 30min;
  Scene scene(settings);
  Waiter user, waiting;
  scene.take(user);
  scene.give_back(user);
  scene.pass(30min - 1s);
  CHECK(scene.acquire(user) == Waiter::State::granted);

  SUBCASE("an idle one") {
    scene.give_back(user);
    scene.pass(1s);
    CHECK(scene.acquire(waiting) == Waiter::State::waiting);
  }
  SUBCASE("one that would go to a waiter") {
    CHECK(scene.acquire(waiting) == Waiter::State::waiting);
    scene.pass(1s);
    scene.give_back(user);
    CHECK(waiting.state == Waiter::State::waiting);
  }
  CHECK(scene.closed == 1);
  CHECK(scene.pending_opens == 1);
  scene.open_one();
  CHECK(waiting.state == Waiter::State::granted);
  CHECK_FALSE(waiting.reused);
}

TEST_CASE("A recycle age of zero switches recycling off") {
  PoolSettings settings = small(1, 0);
  settings.recycle = 0s;
  Scene scene(settings);
  Waiter user;
  scene.take(user);
  scene.give_back(user);
  scene.pass(10000h);
  CHECK(scene.acquire(user) == Waiter::State::granted);
}

TEST_CASE("Pre-ping: after a second without use, and for all connections after one has broken") {
  PoolSettings settings = small(2, 0);
  settings.recycle = 0s;
  Scene scene(settings);
  Waiter a, b;
  scene.take(a);
  scene.take(b);
  scene.pass(1ms);
  scene.give_back(a);

  struct {
    Duration rest;
    bool verify;
  } const rests[] = {{0s, false}, {999ms, false}, {1s, true}, {1h, true}};
  for (auto [rest, verify] : rests) {
    scene.pass(rest);
    scene.acquire(a);
    CHECK(a.verify == verify);
    scene.give_back(a);
  }

  scene.pass(1ms);
  scene.give_back(b, Returned::broken);
  scene.pass(1ms);
  scene.acquire(a);
  CHECK(a.verify);
  scene.pass(1ms);
  scene.give_back(a);
  scene.acquire(a);
  CHECK_FALSE(a.verify);

  SUBCASE("never when switched off") {
    scene.give_back(a);
    settings.pre_ping = false;
    scene.policy.configure(settings, scene.now);
    scene.pass(1h);
    REQUIRE(scene.acquire(b) == Waiter::State::granted);
    CHECK_FALSE(b.verify);
  }
}

TEST_CASE("A dirty connection is closed when it is returned") {
  Scene scene(small(1, 0));
  Waiter user, waiting;
  scene.take(user);
  scene.acquire(waiting);
  Slot* dirty = user.slot;
  scene.give_back(user, Returned::discard);
  CHECK(scene.closed == 1);
  CHECK(waiting.state == Waiter::State::waiting);
  CHECK(scene.policy.gauges().connection_errors == 0);
  scene.open_one();
  CHECK(waiting.state == Waiter::State::granted);
  CHECK(waiting.slot != dirty);
}

TEST_CASE("A failed opening fails all waiters, and is retried one at a time with a growing pause") {
  Scene scene(small(3, 0));
  Waiter a, b;
  scene.acquire(a);
  scene.acquire(b);
  CHECK(scene.pending_opens == 2);
  scene.fail_one();
  CHECK(a.state == Waiter::State::waiting);
  scene.fail_one();
  CHECK(a.state == Waiter::State::failed);
  CHECK(b.state == Waiter::State::failed);
  CHECK(a.failure == PoolFailure::unreachable);
  CHECK_FALSE(scene.policy.gauges().reachable);
  CHECK(scene.policy.gauges().connection_errors == 2);

  // Nobody waits, but the pool probes: so it finds out that the database is up again.
  Duration expected[] = {100ms, 200ms, 250ms, 250ms};
  for (Duration pause : expected) {
    REQUIRE(scene.policy.next_deadline() == scene.now + pause);
    scene.pass(pause - 1ms);
    CHECK(scene.pending_opens == 0);
    Waiter meanwhile;
    CHECK(scene.acquire(meanwhile) == Waiter::State::waiting);
    CHECK(scene.pending_opens == 0);
    scene.pass(1ms);
    CHECK(scene.pending_opens == 1);
    scene.fail_one();
    CHECK(meanwhile.state == Waiter::State::failed);
  }

  Waiter last[2];
  scene.acquire(last[0]);
  scene.acquire(last[1]);
  scene.pass(250ms);
  CHECK(scene.pending_opens == 1);
  scene.open_one();
  CHECK(last[0].state == Waiter::State::granted);
  CHECK(scene.pending_opens == 1);
  scene.open_one();
  CHECK(last[1].state == Waiter::State::granted);
  CHECK(scene.policy.gauges().reachable);
}

TEST_CASE("Jitter shortens the pause by up to a half") {
  for (auto [jitter, pause] : {std::pair{0.0, 25ms}, std::pair{0.5, 37ms}, std::pair{1.0, 50ms}}) {
    Scene scene(small(1, 0));
    scene.policy.probe(scene.now);
    scene.settle();
    scene.fail_one(jitter);
    CHECK(std::chrono::floor<std::chrono::milliseconds>(*scene.policy.next_deadline() - scene.now) == pause);
  }
}

TEST_CASE("While one connection works, a failed overflow opening fails no waiter") {
  Scene scene(small(1, 1));
  Waiter holder, waiting;
  scene.take(holder);
  scene.acquire(waiting);
  scene.pass(kOverflowPatience);
  scene.fail_one();
  CHECK(waiting.state == Waiter::State::waiting);
  scene.give_back(holder);
  CHECK(waiting.state == Waiter::State::granted);
}

TEST_CASE("An idle connection that the server has closed is replaced without a request") {
  Scene scene(small(2, 0));
  Waiter a;
  scene.take(a);
  scene.give_back(a);
  scene.policy.lost(*scene.policy.first_idle(), scene.now);
  scene.settle();
  CHECK(scene.closed == 1);
  CHECK(scene.pending_opens == 1);
  CHECK(scene.policy.gauges().connection_errors == 1);
  scene.fail_one();
  CHECK_FALSE(scene.policy.gauges().reachable);
}

TEST_CASE("Connections that are closed because of their age are counted") {
  PoolSettings settings = small(2, 0);
  settings.recycle = 1min;
  Scene scene(settings);
  Waiter first, second;
  scene.take(first);
  scene.give_back(first);
  CHECK(scene.policy.gauges().recycled == 0);
  scene.pass(2min);
  scene.take(second);  // an idle one that is too old
  CHECK(scene.policy.gauges().recycled == 1);
  scene.give_back(second, Returned::broken);
  CHECK(scene.policy.gauges().recycled == 1);
}

}  // namespace
}  // namespace api::db
