#include "proxy/admission/early_refusal.hpp"

#include <doctest/doctest.h>

namespace {

using namespace spillway;
using namespace spillway::admission;
using namespace std::chrono_literals;

/// The line in front of an API that serves 1000 requests per second. One arrives each millisecond.
struct Line {
  /// How many are refused of those that arrive in `period`, the line being of the same length throughout.
  int refused(int length, Duration period, double lasting = 1000, double served = 1000) {
    int refused = 0;
    for (const Time end = now + period; now < end; now += 1ms) {
      refused += early.refuses(length, {.arriving = lasting, .lasting = lasting, .served = served}, times, now);
    }
    return refused;
  }
  Time now = Time{} + 1h;
  OverloadTimes times = OverloadTimes({}, 1000, 10ms);
  EarlyRefusal early;
};

TEST_CASE("one of forty is refused while a queue is long that was short a second ago") {
  Line line;
  CHECK(line.refused(20, 100ms) == 0);
  CHECK(line.refused(80, 800ms) == 20);
}

TEST_CASE("a wait below the target is not long") {
  Line line;
  CHECK(line.refused(1, 100ms) == 0);
  CHECK(line.refused(49, 1000ms) == 0);
}

TEST_CASE("few requests are not a long queue, however long they take") {
  Line line;
  line.times = OverloadTimes({}, 5, 2s);
  CHECK(line.refused(1, 100ms, 5, 5) == 0);
  CHECK(line.refused(19, 10s, 5, 5) == 0);
}

TEST_CASE("a burst is spared, and so is the time after it") {
  Line line;
  CHECK(line.refused(1, 100ms) == 0);
  CHECK(line.refused(400, 200ms, 2500) == 0);
  CHECK(line.refused(400, 400ms, 500) == 0);
}

TEST_CASE("a queue that keeps its length is that of clients that wait for their answers") {
  Line line;
  line.refused(90, 4s);
  CHECK(line.refused(90, 60s) == 0);
  CHECK(line.refused(110, 60s) == 0);
}

TEST_CASE("what was long ago does not count") {
  Line line;
  line.refused(1, 100ms);
  line.now += 1h;
  CHECK(line.refused(90, 1500ms) == 0);
}

TEST_CASE("arrivals that find the queue short between others begin the count anew") {
  Line line;
  line.refused(20, 100ms);
  for (int i = 0; i < 20; ++i) {
    CHECK(line.refused(80, 39ms) == 0);
    CHECK(line.refused(20, 1ms) == 0);
  }
}

TEST_CASE("without a target, which is no control of overload, none is refused") {
  Line line;
  line.times = OverloadTimes({.target = 0ms}, 1000, 10ms);
  line.refused(1, 100ms);
  CHECK(line.refused(400, 1500ms) == 0);
}

}  // namespace
