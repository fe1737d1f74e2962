// An API that dies and comes back: how soon it is used again as before, and how little it is asked meanwhile.
#include <optional>
#include <utility>

#include <doctest/doctest.h>

#include "proxy/upstream/poll_schedule.hpp"
#include "tests/unit/admission/simulation.hpp"

namespace {

using namespace spillway::admission;
using namespace spillway::admission::simulation;

constexpr int kSlots = 10, kLimit = 13;  // 13 leave 10 to ordinary requests
constexpr double kDies = 12;             // seconds; by then the usual latency is known

/// An API of ten slots of 10 ms that is dead for some time, and polled as the program polls it.
struct Outage {
  explicit Outage(double lasts, double load, Backend api = {}) : returns(kDies + lasts), backend(std::move(api)) {
    backend.slots = kSlots;
    backend.exponential = true;
    backend.dead = [this](double t) { return t >= kDies && t < returns; };
    Policy policy;
    policy.max_concurrent = kLimit;
    simulation.emplace(policy, backend, 1);
    simulation->add(steady(0, load * backend.capacity()));
    polls.configure(seconds(1), {});
    simulation->on_tick = [this](double t) {
      const spillway::Time now = spillway::Time{} + seconds(t);
      const int refused = failed();
      if (std::exchange(refused_, refused) != refused && backend.dead(t)) polls.unreachable(0, now);
      if (now >= polls.due()) {
        const bool up = !backend.dead(t);
        polls.begins(now);
        polls.ended(up ? Polls::Found::good : Polls::Found::nobody, 0, now);
        simulation->controller.polled(up, now);
      }
      const Controller& controller = simulation->controller;
      const bool full = controller.breaker_state() == Breaker::State::closed && controller.limit() == kLimit;
      if (t >= returns && full_after < 0 && full) full_after = t - returns;
    };
  }
  /// Part of the requests between two times that were answered within a second.
  double answered(double from, double to) const {
    double all = 0, good = 0;
    for (const Record& record : simulation->records) {
      if (record.arrived < from || record.arrived >= to) continue;
      ++all;
      good += record.answered && record.latency() <= 1;
    }
    return good / all;
  }
  int failed() const {
    int count = 0;
    for (const Record& record : simulation->records) count += record.failed;
    return count;
  }

  using Polls = spillway::upstream::PollSchedule;
  Polls polls;
  int refused_ = 0;
  double returns, full_after = -1;
  Backend backend;
  std::optional<Simulation> simulation;
};

TEST_CASE("an API that was dead for a while is used as before soon after its return, and hardly asked before") {
  struct Row {
    double lasts, load, full_after;
  };
  for (const Row& row :
       {Row{0.1, 0.5, 0.07}, Row{1, 0.5, 0.08}, Row{1, 0.8, 0.08}, Row{4, 0.5, 0.2}, Row{60, 0.8, 0.2}}) {
    CAPTURE(row.lasts);
    CAPTURE(row.load);
    Outage outage(row.lasts, row.load);
    outage.simulation->run_until(outage.returns + 3);
    CHECK(outage.full_after >= 0);
    CHECK(outage.full_after <= row.full_after);                                // the next poll, and some round trips
    CHECK(outage.answered(outage.returns + 0.1, outage.returns + 1) >= 0.98);  // all but those behind the trials
    CHECK(outage.failed() <= 50);  // of 500 to 48,000: those inside, and five trials in each of five openings
  }
}

TEST_CASE("an API that is slow after its return is given more by time only") {
  Backend cold;
  cold.slowness = [](double t) { return t > kDies ? 10.0 : 1.0; };
  Outage outage(4, 0.5, cold);
  const auto limit_at = [&](double t) {
    outage.simulation->run_until(outage.returns + t);
    return outage.simulation->controller.limit();
  };
  CHECK(limit_at(0.5) <= 6);  // the trials were five
  CHECK(limit_at(2.2) <= 8);
  CHECK(limit_at(4.5) == kLimit);
}

}  // namespace
