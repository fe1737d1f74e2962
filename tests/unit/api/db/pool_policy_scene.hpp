#pragma once

#include <deque>
#include <vector>

#include <doctest/doctest.h>

#include "api/db/pool_policy.hpp"

namespace api::db {

/// Acts as the driver: opens and closes connections at once or on demand, and keeps counts to compare with the
/// policy's.
struct Scene {
  explicit Scene(PoolSettings settings) : policy(settings) {}

  PoolPolicy policy;
  Time now{std::chrono::hours(1)};
  std::deque<Slot> slots;
  int pending_opens = 0;  ///< asked for, not answered
  int closed = 0;
  std::vector<Waiter*> decided;
  std::deque<Slot*> checks;  ///< asked for, not answered

  void settle() {
    while (Slot* slot = policy.next_to_close()) {
      (void)slot;
      ++closed;
    }
    while (Waiter* waiter = policy.next_decided()) decided.push_back(waiter);
    while (Slot* slot = policy.next_to_check()) checks.push_back(slot);
    pending_opens += policy.take_opens();
  }
  Waiter::State acquire(Waiter& waiter) {
    auto state = policy.acquire(waiter, now);
    settle();
    return state;
  }
  Slot& open_one(Duration took = Duration::zero()) {
    REQUIRE(pending_opens > 0);
    --pending_opens;
    Slot& slot = slots.emplace_back();
    policy.opened(slot, took, now);
    settle();
    return slot;
  }
  void fail_one(double jitter = 1.0) {
    REQUIRE(pending_opens > 0);
    --pending_opens;
    policy.open_failed(now, jitter);
    settle();
  }
  void finish_check(bool alive) {
    REQUIRE_FALSE(checks.empty());
    Slot* slot = checks.front();
    checks.pop_front();
    policy.checked(*slot, alive, now);
    settle();
  }
  void give_back(Waiter& waiter, Returned how = Returned::clean) {
    REQUIRE(waiter.state == Waiter::State::granted);
    policy.give_back(*waiter.slot, how, now);
    waiter.state = Waiter::State::fresh;
    settle();
  }
  void pass(Duration time) {
    now += time;
    policy.tick(now);
    settle();
  }
  /// Acquires a connection, and opens one if needed.
  void take(Waiter& waiter) {
    if (acquire(waiter) == Waiter::State::granted) return;
    if (pending_opens == 0) pass(kOverflowPatience);
    open_one();
    REQUIRE(waiter.state == Waiter::State::granted);
  }
};

inline PoolSettings small(int size, int overflow) {
  PoolSettings settings;
  settings.size = size;
  settings.max_overflow = overflow;
  return settings;
}

}  // namespace api::db
