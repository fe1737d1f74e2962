// The pool with silent connections, with a server at its limit, and after a fail-over.

#include <array>

#include <doctest/doctest.h>

#include "tests/unit/api/db/pool_policy_scene.hpp"

namespace api::db {
namespace {

using namespace std::chrono_literals;

/// Fills `scene` with idle connections.
template <std::size_t kCount>
void fill(Scene& scene) {
  std::array<Waiter, kCount> users;
  for (Waiter& user : users) scene.take(user);
  for (Waiter& user : users) scene.give_back(user);
}

TEST_CASE("With wait_when_down requests wait out an outage, as long as the pool's timeout") {
  PoolSettings settings = small(1, 0);
  settings.wait_when_down = true;
  settings.timeout = 10s;
  Scene scene(settings);
  Waiter first, second;
  CHECK(scene.acquire(first) == Waiter::State::waiting);
  for (int i = 0; i < 5; ++i) {
    scene.fail_one();
    CHECK(scene.decided.empty());
    scene.pass(1s);  // the next attempt
  }
  CHECK_FALSE(scene.policy.gauges().reachable);
  CHECK(scene.acquire(second) == Waiter::State::waiting);
  SUBCASE("the database comes back") {
    scene.open_one();
    CHECK(first.state == Waiter::State::granted);
    scene.give_back(first);
    CHECK(second.state == Waiter::State::granted);
  }
  SUBCASE("it does not") {
    scene.fail_one();
    scene.pass(5s);
    REQUIRE(scene.decided.size() == 1);
    CHECK(first.state == Waiter::State::failed);
    CHECK(first.failure == PoolFailure::unreachable);
    CHECK(second.state == Waiter::State::waiting);
  }
}

TEST_CASE("After a silent connection all idle ones are pinged at once, and none of them is granted meanwhile") {
  Scene scene(small(4, 2));
  fill<4>(scene);
  scene.pass(10s);
  Waiter first, second;
  scene.acquire(first);
  CHECK(first.verify);
  scene.give_back(first, Returned::silent);
  CHECK(scene.closed == 1);
  CHECK(scene.checks.size() == 3);
  CHECK(scene.policy.first_idle() == nullptr);
  CHECK(scene.pending_opens == 1);  // nobody waits, still a fresh one is opened
  CHECK(scene.policy.gauges().in_use() == 0);

  CHECK(scene.acquire(second) == Waiter::State::waiting);
  scene.open_one();
  CHECK(second.state == Waiter::State::granted);
  CHECK_FALSE(second.reused);

  SUBCASE("silent ones are replaced when they are needed") {
    while (!scene.checks.empty()) scene.finish_check(false);
    CHECK(scene.closed == 4);
    CHECK(scene.policy.gauges().connection_errors == 4);
    CHECK(scene.policy.gauges().reachable);
  }
  SUBCASE("those that answer are reused without another ping") {
    scene.pass(1ms);
    while (!scene.checks.empty()) scene.finish_check(true);
    CHECK(scene.closed == 1);
    Waiter third;
    CHECK(scene.acquire(third) == Waiter::State::granted);
    CHECK(third.reused);
    CHECK_FALSE(third.verify);
  }
  SUBCASE("one that answers goes to a waiter") {
    Waiter waiting[3];
    for (Waiter& waiter : waiting) scene.acquire(waiter);
    scene.finish_check(true);
    CHECK(waiting[0].state == Waiter::State::granted);
    CHECK(waiting[1].state == Waiter::State::waiting);
  }
}

TEST_CASE("A query that has had no answer for long has the idle connections pinged") {
  Scene scene(small(3, 0));
  fill<3>(scene);
  Waiter user;
  scene.acquire(user);
  scene.policy.check_idle(scene.now + kTrustedFor - 1ms);
  scene.settle();
  CHECK(scene.checks.empty());
  scene.pass(kTrustedFor);
  scene.policy.check_idle(scene.now);
  scene.settle();
  CHECK(scene.checks.size() == 2);
  while (!scene.checks.empty()) scene.finish_check(true);
  scene.policy.check_idle(scene.now);
  scene.settle();
  CHECK(scene.checks.empty());
  CHECK(scene.policy.gauges().connection_errors == 0);
}

TEST_CASE("Without pre-ping no connection is pinged") {
  PoolSettings settings = small(2, 0);
  settings.pre_ping = false;
  Scene scene(settings);
  fill<2>(scene);
  scene.pass(10s);
  Waiter user;
  scene.acquire(user);
  scene.give_back(user, Returned::silent);
  CHECK(scene.checks.empty());
  CHECK(scene.policy.first_idle() != nullptr);
}

TEST_CASE("A server at its limit of connections is reachable while one is open, and is not probed") {
  Scene scene(small(1, 1));
  Waiter holder, waiting;
  scene.take(holder);
  scene.acquire(waiting);
  scene.pass(kOverflowPatience);
  scene.fail_one();
  CHECK(scene.policy.gauges().reachable);
  CHECK(scene.policy.gauges().connection_errors == 1);
  scene.give_back(holder);
  CHECK(waiting.state == Waiter::State::granted);
  scene.give_back(waiting);
  scene.pass(1h);
  CHECK(scene.pending_opens == 0);
  CHECK_FALSE(scene.policy.next_deadline());
  CHECK(scene.policy.gauges().reachable);

  // The last connection is lost, and none can be opened.
  scene.policy.lost(*scene.policy.first_idle(), scene.now);
  scene.settle();
  scene.fail_one();
  CHECK_FALSE(scene.policy.gauges().reachable);
}

TEST_CASE("While openings fail, idle connections are pinged; without any the database is unreachable") {
  Scene scene(small(2, 0));
  fill<2>(scene);
  scene.pass(10s);
  scene.policy.lost(*scene.policy.first_idle(), scene.now);
  scene.settle();
  scene.fail_one();
  CHECK(scene.policy.gauges().reachable);
  REQUIRE(scene.checks.size() == 1);
  scene.finish_check(false);
  CHECK_FALSE(scene.policy.gauges().reachable);
  scene.pass(kMaxBackoff);
  CHECK(scene.pending_opens == 1);
}

TEST_CASE("After a fail-over no older connection is reused") {
  Scene scene(small(3, 1));
  Waiter first, second, waiting;
  scene.take(first);
  scene.take(second);
  Waiter third;
  scene.take(third);
  scene.give_back(third);
  scene.give_back(first, Returned::moved);
  CHECK(scene.closed == 2);  // it and the idle one
  CHECK(scene.pending_opens == 1);
  CHECK(scene.policy.gauges().connection_errors == 0);
  scene.acquire(waiting);
  scene.give_back(second);
  CHECK(scene.closed == 3);
  CHECK(waiting.state == Waiter::State::waiting);
  scene.open_one();
  CHECK(waiting.state == Waiter::State::granted);
  CHECK_FALSE(waiting.reused);

  // An old connection that reports the fail-over late does not close the new ones.
  scene.give_back(waiting);
  CHECK(scene.policy.first_idle() != nullptr);

  SUBCASE("one that is being pinged is closed, too") {
    scene.pass(10s);
    scene.policy.check_idle(scene.now);
    scene.settle();
    scene.policy.retire(scene.now);
    scene.settle();
    scene.finish_check(true);
    CHECK(scene.closed == 4);
  }
}

TEST_CASE("A shrunk pool shows at most 100 % in use, and reaches its size under constant load") {
  Scene scene(small(4, 4));
  std::array<Waiter, 8> users;
  for (Waiter& user : users) scene.take(user);
  scene.policy.configure(small(2, 1), scene.now);
  scene.settle();
  for (int round = 0; round < 20; ++round) {
    for (Waiter& user : users) {
      if (user.state == Waiter::State::granted) scene.give_back(user);
      if (user.state == Waiter::State::fresh) scene.acquire(user);
      scene.pass(kOverflowPatience);
      while (scene.pending_opens > 0) scene.open_one();
      const PoolGauges gauges = scene.policy.gauges();
      REQUIRE(gauges.in_use() <= gauges.capacity);
      REQUIRE(gauges.overflow <= 1);
      REQUIRE(gauges.checked_in >= 0);
    }
  }
  CHECK(static_cast<int>(scene.slots.size()) - scene.closed == 3);
  for (Waiter& user : users) {
    if (user.state == Waiter::State::granted) scene.give_back(user);
  }
  scene.pass(1h);
  for (Waiter& user : users) {
    if (user.state == Waiter::State::granted) scene.give_back(user);
  }
  CHECK(static_cast<int>(scene.slots.size()) - scene.closed <= 2);
}

}  // namespace
}  // namespace api::db
