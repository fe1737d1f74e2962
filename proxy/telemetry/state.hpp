#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "proxy/admission/load_report.hpp"
#include "proxy/net/clock.hpp"

namespace spillway::telemetry {

/// The state of the process. The control thread writes it; any thread reads it.
struct ProcessState {
  std::atomic<bool> draining{false};
  std::atomic<bool> maintenance{false};
  std::atomic<bool> upstream_healthy{false};
  std::atomic<bool> upstream_unresolved{false};  ///< no address of the API is known yet
  std::atomic<bool> io_uring{false};             ///< workers read and send by it; else by epoll alone
  // For the pages. The control thread alone reads and writes these.
  std::string last_poll;       ///< of the API's health, in words
  std::optional<Time> polled;  ///< when that was
  std::string last_change;     ///< of the configuration, in words; empty before the first reload
  std::string waiting;         ///< keys that take effect at the next start, separated by commas

  std::atomic<bool> reload_successful{true};
  std::atomic<bool> restart_pending{false};  ///< a reload has changed keys that take effect at the next start
  std::atomic<std::int64_t> reload_time{0};  ///< seconds since 1970
};

/// The state of admission at one moment.
struct AdmissionState {
  int in_flight = 0;
  int queue_length = 0;
  int streams = 0;  ///< tunnels and event streams; not in `in_flight`
  int limit = 0;
  int capacity = 0;
  int breaker = 0;                      ///< 0 closed, 1 half-open, 2 open: the worst state of all breakers
  std::uint64_t connection_errors = 0;  ///< of the API's database, since the start of the process
  admission::LoadReport load;
  std::optional<Time> load_at;  ///< when `load` was reported; nothing if never
};

}  // namespace spillway::telemetry
