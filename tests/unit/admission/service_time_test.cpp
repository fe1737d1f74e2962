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

}  // namespace
