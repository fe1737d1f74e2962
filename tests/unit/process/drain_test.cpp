// The schedule of a process that has been told to stop.

#include "proxy/drain.hpp"

#include <initializer_list>

#include <doctest/doctest.h>

namespace spillway {
namespace {

TEST_CASE("idle connections close shortly before the end of a drain, but never before its start") {
  struct Row {
    Duration drain, delay, close, cut;
  };
  for (const Row& row : {
           Row{25s, 0s, 24s, 24500ms},
           Row{25s, 5s, 24s, 24500ms},
           Row{25s, 24750ms, 24750ms, 24750ms},
           Row{4s, 0s, 3s, 3500ms},
           Row{400ms, 0s, 300ms, 350ms},
           Row{400ms, 400ms, 400ms, 400ms},
           Row{0s, 0s, 0s, 0s},
       }) {
    CAPTURE(row.drain);
    CAPTURE(row.delay);
    TimeoutsConfig timeouts;
    timeouts.drain = row.drain;
    timeouts.drain_delay = row.delay;
    const DrainPlan plan = plan_drain(timeouts);
    CHECK(plan.begin == row.delay);
    CHECK(plan.close == row.close);
    CHECK(plan.cut == row.cut);
  }
}

}  // namespace
}  // namespace spillway
