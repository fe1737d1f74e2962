#pragma once

#include <cmath>

#include "tests/unit/admission/simulation.hpp"

namespace spillway::admission::simulation {

/// What becomes of the requests that arrive in a part of a run; of one run, or the mean of several.
struct Outcome {
  double goodput = 0;       ///< answered in time and in that part, of capacity
  double answered = 0;      ///< in time, of the requests
  double refused = 0;       ///< requests
  double p99_answered = 0;  ///< ms, of those answered in time
  double p99_refused = 0;   ///< ms; 0 if none is refused
};

/// From `from` to `to`. `capacity` in requests per second. In time is within a second.
inline Outcome outcome_of(const Simulation& simulation, double capacity, double from, double to) {
  constexpr double kPatience = 1;
  const auto due = [&](const Record& r) { return r.arrived >= from && r.arrived < to; };
  const auto in_time = [](const Record& r) { return r.answered && r.latency() <= kPatience; };
  Outcome outcome;
  double all = 0;
  for (const Record& record : simulation.records) {
    if (in_time(record) && record.ended >= from && record.ended < to) outcome.goodput += 1 / ((to - from) * capacity);
    if (!due(record)) continue;
    ++all;
    outcome.answered += in_time(record);
    outcome.refused += record.refused;
  }
  outcome.answered /= all;
  const auto p99 = [&](auto pick) { return 1e3 * latency_quantile(simulation.records, 0.99, pick); };
  outcome.p99_answered = p99([&](const Record& r) { return due(r) && in_time(r); });
  if (outcome.refused > 0) outcome.p99_refused = p99([&](const Record& r) { return due(r) && r.refused; });
  return outcome;
}

/// Of the runs with the seeds 1 to `seeds`: `run(seed)` is the outcome of one.
template <class Run>
Outcome mean_of(int seeds, Run run) {
  Outcome mean;
  for (int seed = 1; seed <= seeds; ++seed) {
    const Outcome one = run(static_cast<std::uint64_t>(seed));
    mean.goodput += one.goodput / seeds;
    mean.answered += one.answered / seeds;
    mean.refused += one.refused / seeds;
    mean.p99_answered += one.p99_answered / seeds;
    mean.p99_refused += one.p99_refused / seeds;
  }
  return mean;
}

}  // namespace spillway::admission::simulation
