#include "proxy/admission/delay_control.hpp"

#include <doctest/doctest.h>

namespace {

using spillway::Duration;
using spillway::Time;
using spillway::admission::DelayControl;
using namespace std::chrono_literals;

/// Observes one wait every 10 ms, with the default target and interval.
struct Line {
  void waits(Duration each, Duration period) {
    for (const Time end = now + period; now < end; now += 10ms) control.observe(each, now, 5ms, 100ms);
  }
  void loses_while_waiting(Duration each, Duration period) {
    for (const Time end = now + period; now < end; now += 10ms) {
      control.observe(each, now, 5ms, 100ms);
      control.lost(now);
    }
  }
  Time now{};
  DelayControl control;
};

TEST_CASE("waits above target for less than an interval are a burst") {
  Line line;
  line.waits(0ms, 50ms);
  line.waits(80ms, 90ms);
  CHECK_FALSE(line.control.overloaded());
  line.waits(5ms, 10ms);  // one wait is within target: the interval starts anew
  line.waits(80ms, 90ms);
  CHECK_FALSE(line.control.overloaded());
}

TEST_CASE("waits above target for a whole interval are standing overload, until a request hardly waits") {
  Line line;
  line.waits(0ms, 50ms);
  line.waits(6ms, 110ms);
  CHECK(line.control.overloaded());
  line.waits(6ms, 200ms);
  CHECK(line.control.overloaded());

  line.waits(0ms, 10ms);
  CHECK(line.control.overloaded());  // the interval has not ended
  line.waits(80ms, 100ms);
  CHECK_FALSE(line.control.overloaded());
}

TEST_CASE("while the newest is served first, overload lasts as long as requests are lost") {
  Line line;
  line.waits(6ms, 210ms);
  REQUIRE(line.control.overloaded());
  line.loses_while_waiting(0ms, 2s);
  CHECK(line.control.overloaded());
  line.waits(0ms, 200ms);
  CHECK_FALSE(line.control.overloaded());
}

TEST_CASE("a target of 0 turns the delay control off, even during overload") {
  DelayControl control;
  Time now{};
  const auto waits = [&](Duration target, Duration period) {
    for (const Time end = now + period; now < end; now += 10ms) {
      control.observe(80ms, now, target, 100ms);
      control.lost(now);
    }
  };
  waits(0ms, 1s);
  CHECK_FALSE(control.overloaded());
  waits(5ms, 210ms);
  REQUIRE(control.overloaded());
  waits(0ms, 210ms);
  CHECK_FALSE(control.overloaded());
}

TEST_CASE("a line that was empty starts without overload") {
  Line line;
  line.waits(6ms, 210ms);
  line.loses_while_waiting(0ms, 100ms);
  REQUIRE(line.control.overloaded());
  line.now += 10s;
  line.waits(0ms, 10ms);
  CHECK_FALSE(line.control.overloaded());
}

}  // namespace
