#pragma once

#include <cstdint>
#include <vector>

#include "proxy/telemetry/counters.hpp"

namespace spillway::telemetry {

/// A count of all workers together, for example `sum(workers, &WorkerCounters::parsed)`.
inline std::uint64_t sum(const std::vector<const WorkerCounters*>& workers, Counter WorkerCounters::*member) {
  std::uint64_t total = 0;
  for (const WorkerCounters* worker : workers) total += (worker->*member).value();
  return total;
}

}  // namespace spillway::telemetry
