#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "proxy/admission/load_report.hpp"
#include "proxy/net/clock.hpp"

namespace spillway::telemetry {

/// What the process as a whole is doing. Written by the control thread, read by any.
struct ProcessState {
  std::atomic<bool> draining{false};
  std::atomic<bool> maintenance{false};
  std::atomic<bool> upstream_healthy{false};
  std::atomic<bool> reload_successful{true};
  std::atomic<bool> restart_pending{false};  ///< a reload has left keys for the next start
  std::atomic<std::int64_t> reload_time{0};  ///< seconds since 1970
};

/// Admission at one moment.
struct AdmissionState {
  int in_flight = 0;
  int queue_length = 0;
  int limit = 0;
  int capacity = 0;
  int breaker = 0;  ///< 0 closed, 1 half-open, 2 open: the worst of all
  admission::LoadReport load;
  std::optional<Time> load_at;  ///< when `load` was reported; nothing: never
};

}  // namespace spillway::telemetry
