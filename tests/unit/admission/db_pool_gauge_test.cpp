#include "proxy/admission/db_pool_gauge.hpp"

#include <vector>

#include <doctest/doctest.h>

#include "tests/unit/admission/scene.hpp"

namespace {

using spillway::Time;
using namespace spillway::admission;
using namespace std::chrono_literals;

const Time kNow = Time{} + 1h;

TEST_CASE("a class is refused exactly when the use of the pool reaches its share") {
  struct Row {
    int in_use;
    double shed_at;
    bool exhausted;
  };
  for (const Row& row : std::vector<Row>{{39, 0.80, false},
                                         {40, 0.80, true},
                                         {49, 1.0, false},
                                         {50, 1.0, true},
                                         {30, 0.60, true},
                                         {0, 0.60, false}}) {
    CAPTURE(row.in_use);
    CAPTURE(row.shed_at);
    DbPoolGauge pool;
    pool.report({.capacity = 50, .in_use = row.in_use}, 60, kNow);
    CHECK(pool.exhausted(row.shed_at, 60, kNow) == row.exhausted);
  }
}

TEST_CASE("without a pool report, or with one older than two seconds, no request is refused for the pool") {
  DbPoolGauge pool;
  CHECK_FALSE(pool.exhausted(0.1, 100, kNow));
  pool.report({.capacity = 0, .in_use = 0}, 0, kNow);
  CHECK_FALSE(pool.exhausted(0.1, 100, kNow));
  pool.report({.capacity = 50, .in_use = 50}, 50, kNow);
  CHECK(pool.exhausted(1.0, 50, kNow + 2s));
  CHECK_FALSE(pool.exhausted(1.0, 50, kNow + 2001ms));
  CHECK(pool.capacity_pct(50, kNow + 2s) == doctest::Approx(100));
  CHECK(pool.capacity_pct(50, kNow + 2001ms) == 0);
}

TEST_CASE("waiters count only while no connection can be opened for them, and for longer than a hand-over") {
  struct Row {
    const char* why;
    DbPoolReport report;
    bool exhausted;
  };
  for (const Row& row : std::vector<Row>{
           {"one of 50 is in use", {.capacity = 50, .in_use = 1, .waiters = 1}, false},
           {"ten can be opened", {.capacity = 50, .in_use = 40, .open = 40, .waiters = 20}, false},
           {"all are open, but more are idle than wait",
            {.capacity = 50, .in_use = 10, .open = 50, .waiters = 1},
            false},
           {"all are open, and as many wait as are idle",
            {.capacity = 50, .in_use = 45, .open = 50, .waiters = 5},
            true},
           {"all are in use", {.capacity = 50, .in_use = 50, .waiters = 1}, true},
       }) {
    CAPTURE(row.why);
    DbPoolGauge pool;
    pool.report(row.report, 60, kNow);
    CHECK(pool.exhausted(1.0, 60, kNow + 6ms) == row.exhausted);
  }

  DbPoolGauge pool;
  const DbPoolReport waiting{.capacity = 50, .in_use = 45, .open = 50, .waiters = 5};
  const DbPoolReport fine{.capacity = 50, .in_use = 45, .open = 50};
  pool.report(waiting, 60, kNow);
  CHECK_FALSE(pool.exhausted(1.0, 60, kNow + 5ms));
  pool.report(waiting, 60, kNow + 4ms);  // the shortage continues, it does not start anew
  CHECK(pool.exhausted(1.0, 60, kNow + 6ms));
  pool.report(fine, 60, kNow + 7ms);
  CHECK_FALSE(pool.exhausted(1.0, 60, kNow + 20ms));
  pool.report(waiting, 60, kNow + 30ms);
  CHECK_FALSE(pool.exhausted(1.0, 60, kNow + 35ms));
}

TEST_CASE("`queue.target` has no effect on requests that wait inside the API") {
  using namespace scene;
  for (const spillway::Duration target : std::vector<spillway::Duration>{0s, 5ms, 1min}) {
    CAPTURE(target.count());
    Policy policy = policy_of_10();
    policy.queue.target = target;
    policy.queue.interval = 1min;
    Scene s(policy);
    s.controller.observe({.capacity = 10, .in_use = 7, .open = 10, .waiters = 3}, s.now);
    s.now += 5ms;
    CHECK(s.arrive().state == State::admitted);  // they only wait for their turn
    s.now += 1ms;
    Request critical;
    critical.class_index = 1;
    CHECK(s.arrive(critical).reason == Reason::pool);
    s.controller.observe({.capacity = 10, .in_use = 7, .open = 10}, s.now);
    CHECK(s.arrive().state == State::admitted);
  }
}

TEST_CASE("a request admitted since the report counts as much of the pool as the others used") {
  DbPoolGauge pool;
  pool.report({.capacity = 50, .in_use = 20}, 25, kNow);
  CHECK_FALSE(pool.exhausted(0.80, 49, kNow));
  CHECK(pool.exhausted(0.80, 50, kNow));
  CHECK(pool.capacity_pct(50, kNow) == doctest::Approx(80));
  CHECK(pool.capacity_pct(5, kNow) == doctest::Approx(40));  // fewer in flight: the report counts as it is

  // Others use the pool, too: count at most one connection for each request.
  pool.report({.capacity = 50, .in_use = 20}, 10, kNow);
  CHECK(pool.capacity_pct(20, kNow) == doctest::Approx(60));
  pool.report({.capacity = 50, .in_use = 20}, 0, kNow);  // nothing was in flight to compute an average
  CHECK(pool.capacity_pct(20, kNow) == doctest::Approx(40));

  pool.report({.capacity = 50, .in_use = 0}, 1, kNow);  // requests that do not use the database
  CHECK_FALSE(pool.exhausted(0.80, 100, kNow));
}

}  // namespace
