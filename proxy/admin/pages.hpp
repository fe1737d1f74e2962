#pragma once

#include "proxy/admin/server.hpp"
#include "proxy/admission/controller.hpp"
#include "proxy/telemetry/history.hpp"
#include "proxy/telemetry/metrics.hpp"
#include "proxy/telemetry/refusals.hpp"

namespace spillway::admin {

/// What stays the same as long as the process runs.
struct Identity {
  std::string instance;  ///< name of the host
  Time started{};
  std::string upstream;  ///< as configured
};

/// What the pages show. All of it must outlive the server.
struct PageSources {
  const telemetry::Metrics* metrics;
  telemetry::MetricSources values;
  std::function<admission::Snapshot()> admission;  ///< at the moment of the call
  std::function<admission::SizedAdvice()> advice;
  const telemetry::History* history;
  const telemetry::Refusals* refusals;
  std::function<std::string()> effective_config;  ///< YAML, secrets hidden
  Identity identity;
  std::function<std::string()> addresses;  ///< of the API, separated by commas
};

/// The pages /, /metrics, /health, /ready, /config, /stats and /advice; and the data that / draws: /stats/history, of
/// the last 15 minutes, and /stats/latest, the end of it.
Server::Pages pages(PageSources sources);

}  // namespace spillway::admin
