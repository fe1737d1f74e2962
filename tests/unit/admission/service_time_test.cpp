#include "proxy/admission/service_time.hpp"

#include <doctest/doctest.h>

namespace {

using spillway::Time;
using spillway::admission::ServiceTime;
using namespace std::chrono_literals;

TEST_CASE("the typical service time follows the samples, and is unknown without any") {
  ServiceTime time;
  Time now = Time{} + 1h;
  CHECK(time.typical(now) == 0ms);
  time.learn(80ms, now);
  CHECK(time.typical(now) == 80ms);
  time.learn(160ms, now);
  CHECK(time.typical(now) == 90ms);
  for (int i = 0; i < 100; ++i) time.learn(20ms, now);
  CHECK(time.typical(now) < 20100us);
}

TEST_CASE("an estimate that refuses every request fades until one is admitted") {
  ServiceTime time;
  const Time now = Time{} + 1h;
  time.learn(8s, now);
  CHECK(time.typical(now + 999ms) == 8s);
  CHECK(time.typical(now + 1s) == 4s);
  CHECK(time.typical(now + 3s) == 1s);
  CHECK(time.typical(now + 1h) == 0s);
}

TEST_CASE("of times that differ, nine of ten do not exceed the p90") {
  ServiceTime time;
  Time now = Time{} + 1h;
  CHECK(time.p90(now) == 0ms);
  for (int i = 0; i < 320; ++i) time.learn(i % 10 < 8 ? 10ms : 100ms, now += 1ms);
  CHECK(time.p90(now) == 100ms);
  for (int i = 0; i < 320; ++i) time.learn(i % 20 < 19 ? 10ms : 100ms, now += 1ms);
  CHECK(time.p90(now) < 30ms);
  CHECK(time.p90(now + 1s) < 15ms);
}

TEST_CASE("slow requests count for a second, or until a few others have ended") {
  for (const int each_second : {2, 5, 20, 100}) {
    CAPTURE(each_second);
    ServiceTime time;
    Time now = Time{} + 1h;
    for (int i = 0; i < 100; ++i) time.learn(5ms, now += 1ms);
    for (int i = 0; i < 10; ++i) time.learn(1s, now);
    now += 40ms;
    time.learn(5ms, now);
    CHECK(time.p90(now) == 1s);
    const int further = std::max(each_second, 7);
    for (int i = 0; i < further; ++i) time.learn(5ms, now += 1000ms / each_second);
    time.learn(5ms, now += 40ms);
    CHECK(time.p90(now) < 300ms);
  }
}

TEST_CASE("what is told of the typical time is the last that was known, after an idle time, too") {
  ServiceTime time;
  const Time now = Time{} + 1h;
  CHECK(time.last_known() == 0ms);
  time.learn(5ms, now);
  CHECK(time.typical(now + 3s) < 1ms);
  CHECK(time.last_known() == 5ms);
}

TEST_CASE("the p90 is never below the typical time, and of equal times it is that time") {
  ServiceTime time;
  Time now = Time{} + 1h;
  for (int i = 0; i < 64; ++i) {
    time.learn(7ms, now);
    REQUIRE(time.p90(now) == 7ms);
  }
  time.learn(10s, now);
  CHECK(time.p90(now) >= time.typical(now));
}

}  // namespace
