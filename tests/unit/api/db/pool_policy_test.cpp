#include <deque>
#include <iterator>
#include <random>
#include <vector>

#include <doctest/doctest.h>

#include "tests/unit/api/db/pool_policy_scene.hpp"

namespace api::db {
namespace {

using namespace std::chrono_literals;

TEST_CASE("A fresh pool opens no connection and is 0 % used") {
  Scene scene(small(20, 30));
  auto gauges = scene.policy.gauges();
  CHECK(gauges.size == 20);
  CHECK(gauges.overflow == 0);
  CHECK(gauges.checked_in == 20);
  CHECK(gauges.capacity == 50);
  CHECK(gauges.waiters == 0);
  CHECK_FALSE(gauges.reachable);
  CHECK(scene.pending_opens == 0);
}

TEST_CASE("A connection is opened for the first request, kept idle, and reused") {
  Scene scene(small(2, 0));
  Waiter first;
  CHECK(scene.acquire(first) == Waiter::State::waiting);
  CHECK(scene.pending_opens == 1);
  CHECK(scene.policy.gauges().in_use() == 1);
  CHECK(scene.policy.gauges().waiters == 0);

  Slot& slot = scene.open_one();
  CHECK(first.state == Waiter::State::granted);
  CHECK(first.slot == &slot);
  CHECK_FALSE(first.reused);
  CHECK_FALSE(first.verify);
  CHECK(scene.policy.gauges().reachable);

  scene.give_back(first);
  CHECK(scene.policy.gauges().in_use() == 0);
  Waiter second;
  CHECK(scene.acquire(second) == Waiter::State::granted);
  CHECK(second.slot == &slot);
  CHECK(second.reused);
  CHECK(scene.closed == 0);
}

TEST_CASE("The connection used last is taken first, and one of the same home before others") {
  Scene scene(small(3, 0));
  Waiter a, b, c;
  for (Waiter* waiter : {&a, &b, &c}) scene.take(*waiter);
  a.slot->home = 7;
  Slot* of_a = a.slot;
  Slot* of_c = c.slot;
  for (Waiter* waiter : {&a, &b, &c}) scene.give_back(*waiter);

  Waiter any, homely;
  scene.acquire(any);
  CHECK(any.slot == of_c);
  homely.home = 7;
  scene.acquire(homely);
  CHECK(homely.slot == of_a);
}

TEST_CASE("Waiters are served in their order of arrival, whichever connection is free first") {
  Scene scene(small(1, 1));
  Waiter holder, first, second, third;
  scene.take(holder);
  scene.acquire(first);
  scene.acquire(second);
  scene.acquire(third);
  CHECK(scene.policy.gauges().waiters == 3);
  scene.pass(kOverflowPatience);
  CHECK(scene.pending_opens == 1);

  scene.give_back(holder);
  CHECK(first.state == Waiter::State::granted);
  scene.open_one();
  CHECK(second.state == Waiter::State::granted);
  CHECK(third.state == Waiter::State::waiting);
  scene.give_back(second);
  CHECK(third.state == Waiter::State::granted);
  CHECK(scene.decided == std::vector<Waiter*>{&holder, &first, &second, &third});
}

TEST_CASE("Overflow: opened for a waiter after the patience, closed on return unless one waits") {
  Scene scene(small(1, 2));
  Waiter base, extra, next;
  scene.take(base);

  SUBCASE("a queue that drains within the patience opens none") {
    scene.acquire(extra);
    CHECK(scene.pending_opens == 0);
    CHECK(scene.policy.next_deadline() == scene.now + kOverflowPatience);
    scene.give_back(base);
    CHECK(extra.state == Waiter::State::granted);
    scene.pass(kOverflowPatience);
    CHECK(scene.pending_opens == 0);
  }
  SUBCASE("a longer queue opens one per waiter, up to the capacity") {
    Waiter more[3];
    for (Waiter& waiter : more) scene.acquire(waiter);
    scene.pass(kOverflowPatience);
    CHECK(scene.pending_opens == 2);
    scene.open_one();
    scene.open_one();
    CHECK(scene.policy.gauges().overflow == 2);
    CHECK(scene.policy.gauges().total() == 3);
    CHECK(scene.policy.gauges().checked_in == 0);
    CHECK(scene.policy.gauges().waiters == 1);
    // A waiter gets it, so it is not closed.
    scene.give_back(more[0]);
    CHECK(more[2].state == Waiter::State::granted);
    CHECK(scene.closed == 0);
    // Nobody waits, so it is closed.
    scene.give_back(more[1]);
    scene.give_back(more[2]);
    CHECK(scene.closed == 2);
    CHECK(scene.policy.gauges().overflow == 0);
  }
  SUBCASE("one that no waiter needs any more is closed after its opening") {
    scene.acquire(extra);
    scene.pass(kOverflowPatience);
    CHECK(scene.pending_opens == 1);
    scene.give_back(base);
    scene.open_one();
    CHECK(scene.closed == 1);
    CHECK(scene.policy.gauges().overflow == 0);
  }
}

TEST_CASE("The patience follows the duration of openings, up to its maximum") {
  Scene scene(small(1, 40));
  Waiter base, extra[2];
  scene.take(base);
  auto patience = [&scene](Waiter& waiter) {
    scene.acquire(waiter);
    const Duration wait = scene.policy.next_deadline().value() - scene.now;
    scene.pass(wait - 1us);
    CHECK(scene.pending_opens == 0);
    scene.pass(1us);
    CHECK(scene.pending_opens == 1);
    return wait;
  };
  CHECK(patience(extra[0]) == kOverflowPatience);
  scene.open_one(25ms);
  CHECK(patience(extra[1]) == 10ms);  // a quarter of the way
  scene.open_one(25ms);               // now 13.75 ms
  Waiter later[2];
  scene.pass(kPatienceHalfLife);
  CHECK(patience(later[0]) == 6875us);
  scene.open_one(kMaxOverflowPatience * 2);
  scene.pass(1h);
  CHECK(patience(later[1]) == kOverflowPatience);
  scene.open_one(kMaxOverflowPatience * 2);
  for (int i = 0; i < 30; ++i) {
    Waiter waiter;
    const Duration wait = patience(waiter);
    CHECK(wait <= kMaxOverflowPatience);
    scene.open_one(i < 15 ? 10s : 0s);
    if (i == 14) CHECK(wait == kMaxOverflowPatience);
    if (i == 29) CHECK(wait == kOverflowPatience);
    scene.give_back(waiter);
  }
}

TEST_CASE("A waiter fails exactly after the timeout") {
  PoolSettings settings = small(1, 0);
  settings.timeout = 10s;
  Scene scene(settings);
  Waiter holder, early, late;
  scene.take(holder);
  scene.acquire(early);
  CHECK(scene.policy.next_deadline() == scene.now + 10s);
  scene.pass(4s);
  scene.acquire(late);
  scene.pass(6s);
  CHECK(early.state == Waiter::State::failed);
  CHECK(early.failure == PoolFailure::timeout);
  CHECK(late.state == Waiter::State::waiting);
  scene.give_back(holder);
  CHECK(late.state == Waiter::State::granted);
}

TEST_CASE("A waiter that leaves gets no connection") {
  Scene scene(small(1, 0));
  Waiter holder, gone, next;
  scene.take(holder);
  scene.acquire(gone);
  scene.acquire(next);
  CHECK(scene.policy.abandon(gone, scene.now));
  scene.give_back(holder);
  CHECK(next.state == Waiter::State::granted);
  CHECK(gone.state == Waiter::State::fresh);

  SUBCASE("but it cannot leave after the decision") {
    CHECK_FALSE(scene.policy.abandon(next, scene.now));
  }
  SUBCASE("and a connection that was opened for it is kept") {
    Scene cold(small(1, 0));
    Waiter lonely;
    cold.acquire(lonely);
    CHECK(cold.policy.abandon(lonely, cold.now));
    CHECK(cold.policy.gauges().in_use() == 0);
    cold.open_one();
    CHECK(cold.closed == 0);
    Waiter other;
    CHECK(cold.acquire(other) == Waiter::State::granted);
  }
}

TEST_CASE("New sizes take effect at once") {
  Scene scene(small(3, 2));
  Waiter users[5];
  for (Waiter& user : users) scene.take(user);
  CHECK(scene.policy.gauges().overflow == 2);

  SUBCASE("smaller: idle connections are closed now, the others when they are returned") {
    scene.policy.configure(small(1, 0), scene.now);
    scene.settle();
    CHECK(scene.closed == 0);
    CHECK(scene.policy.gauges().capacity == 1);
    // What is too much is not shown: 100 % of what is allowed is in use, and not 500 %.
    CHECK(scene.policy.gauges().overflow == 0);
    CHECK(scene.policy.gauges().checked_in == 0);
    CHECK(scene.policy.gauges().in_use() == 1);
    Waiter waiting;
    scene.acquire(waiting);
    for (int i = 0; i < 4; ++i) scene.give_back(users[i]);
    CHECK(scene.closed == 4);
    CHECK(waiting.state == Waiter::State::waiting);
    scene.give_back(users[4]);
    CHECK(waiting.state == Waiter::State::granted);
  }
  SUBCASE("smaller while idle") {
    for (Waiter& user : users) scene.give_back(user);
    scene.policy.configure(small(1, 0), scene.now);
    scene.settle();
    CHECK(scene.closed == 4);
    CHECK(scene.policy.gauges().total() == 1);
  }
  SUBCASE("larger: waiters are served") {
    Waiter waiting;
    scene.acquire(waiting);
    scene.policy.configure(small(6, 0), scene.now);
    scene.settle();
    CHECK(scene.pending_opens == 1);
    scene.open_one();
    CHECK(waiting.state == Waiter::State::granted);
  }
}

TEST_CASE("Closing fails waiters and new requests, and ends when all connections are returned") {
  Scene scene(small(2, 0));
  Waiter user, idle, waiting;
  scene.take(idle);
  scene.take(user);
  scene.give_back(idle);
  Waiter second;
  scene.take(second);
  scene.acquire(waiting);
  scene.policy.close();
  scene.settle();
  CHECK(waiting.state == Waiter::State::failed);
  CHECK(waiting.failure == PoolFailure::closing);
  CHECK_FALSE(scene.policy.empty());
  scene.give_back(user);
  scene.give_back(second);
  CHECK(scene.policy.empty());
  Waiter late;
  CHECK(scene.acquire(late) == Waiter::State::failed);
  CHECK_FALSE(scene.policy.next_deadline());
}

TEST_CASE("A hundred thousand random events break no invariant and leak no connection") {
  for (unsigned seed = 0; seed < 10; ++seed) {
    std::mt19937 random(seed);
    auto chance = [&](int percent) { return static_cast<int>(random() % 100) < percent; };
    Scene scene(small(3, 4));
    scene.policy.configure(
        [] {
          auto settings = small(3, 4);
          settings.timeout = 200ms;
          settings.recycle = 2s;
          return settings;
        }(),
        scene.now);
    std::deque<Waiter> waiters(20);

    auto check = [&] {
      auto gauges = scene.policy.gauges();
      REQUIRE(gauges.total() <= gauges.capacity);
      REQUIRE(gauges.checked_in >= 0);
      int waiting = 0, granted = 0;
      for (Waiter& waiter : waiters) {
        waiting += waiter.state == Waiter::State::waiting;
        granted += waiter.state == Waiter::State::granted;
      }
      if (waiting > 0) REQUIRE(scene.policy.first_idle() == nullptr);
      REQUIRE(granted + std::min(scene.pending_opens, waiting) == gauges.in_use());
      REQUIRE(granted + scene.pending_opens + static_cast<int>(scene.checks.size()) <= gauges.capacity);
    };
    for (int step = 0; step < 10'000; ++step) {
      Waiter& waiter = waiters[random() % waiters.size()];
      switch (waiter.state) {
        case Waiter::State::fresh:
        case Waiter::State::failed:
          scene.acquire(waiter);
          break;
        case Waiter::State::waiting:
          if (chance(20)) {
            scene.policy.abandon(waiter, scene.now);
            scene.settle();
          }
          break;
        case Waiter::State::granted: {
          constexpr Returned kWays[] = {Returned::discard, Returned::broken, Returned::silent, Returned::moved};
          scene.give_back(waiter, chance(90) ? Returned::clean : kWays[random() % std::size(kWays)]);
          break;
        }
      }
      if (!scene.checks.empty() && chance(60)) scene.finish_check(chance(70));
      if (scene.pending_opens > 0 && chance(60)) chance(70) ? (void)scene.open_one() : scene.fail_one(0.5);
      if (Slot* idle = scene.policy.first_idle(); idle && chance(2)) {
        scene.policy.lost(*idle, scene.now);
        scene.settle();
      }
      if (chance(1)) {
        scene.policy.check_idle(scene.now);
        scene.settle();
      }
      scene.pass(std::chrono::milliseconds(random() % 30));
      check();
    }
    // The load ends: all connections are returned, and nothing is left.
    scene.policy.close();
    scene.settle();
    for (Waiter& waiter : waiters) {
      if (waiter.state == Waiter::State::granted) scene.give_back(waiter);
    }
    while (scene.pending_opens > 0) chance(50) ? (void)scene.open_one() : scene.fail_one();
    while (!scene.checks.empty()) scene.finish_check(chance(50));
    CHECK(scene.policy.empty());
    CHECK(scene.closed == static_cast<int>(scene.slots.size()));
  }
}

}  // namespace
}  // namespace api::db
