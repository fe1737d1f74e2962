#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "proxy/telemetry/counters.hpp"

namespace spillway::telemetry {

/// A count of all workers together, for example `sum(workers, &WorkerCounters::parsed)`. `which`: a member, or a
/// function that returns the counter of a worker.
template <class Which>
std::uint64_t sum(const std::vector<const WorkerCounters*>& workers, Which which) {
  std::uint64_t total = 0;
  for (const WorkerCounters* worker : workers) total += std::invoke(which, *worker).value();
  return total;
}

}  // namespace spillway::telemetry
