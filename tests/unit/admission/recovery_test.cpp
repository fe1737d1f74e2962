// An API that dies and comes back: how soon it is used again as before, and how little it is asked meanwhile.
#include <optional>

#include <doctest/doctest.h>

#include "tests/unit/admission/simulation.hpp"

namespace {

using namespace spillway::admission;
using namespace spillway::admission::simulation;

constexpr int kSlots = 10, kLimit = 13;  // 13 leave 10 to ordinary requests
constexpr double kDies = 12;             // seconds; by then the usual latency is known

/// An API of ten slots of 10 ms that is dead for some time, and polled as the program polls it: once a second, and ten
/// times as often while it is down.
struct Outage {
  explicit Outage(double lasts, double load, Backend api = {}) : returns(kDies + lasts), backend(std::move(api)) {
    backend.slots = kSlots;
    backend.exponential = true;
    backend.dead = [this](double t) { return t >= kDies && t < returns; };
    Policy policy;
    policy.max_concurrent = kLimit;
    simulation.emplace(policy, backend, 1);
    simulation->add(steady(0, load * backend.capacity()));
    simulation->on_tick = [this](double t) {
      if (t >= next_poll) {
        const bool up = !backend.dead(t);
        simulation->controller.polled(up, spillway::Time{} + seconds(t));
        next_poll = t + (up ? 1 : 0.1);
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

  double returns, next_poll = 0.05, full_after = -1;
  Backend backend;
  std::optional<Simulation> simulation;
};

TEST_CASE("an API that was dead for a while is used as before within 0.2 s of its return, and hardly asked before") {
  struct Row {
    double lasts, load;
  };
  for (const Row& row : {Row{1, 0.5}, Row{1, 0.8}, Row{4, 0.5}, Row{60, 0.8}}) {
    CAPTURE(row.lasts);
    CAPTURE(row.load);
    Outage outage(row.lasts, row.load);
    outage.simulation->run_until(outage.returns + 3);
    CHECK(outage.full_after >= 0);
    CHECK(outage.full_after <= 0.2);                                           // a poll is due every 0.1 s
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
