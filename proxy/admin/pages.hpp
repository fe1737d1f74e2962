#pragma once

#include "proxy/admin/server.hpp"
#include "proxy/admission/controller.hpp"
#include "proxy/telemetry/history.hpp"
#include "proxy/telemetry/metrics.hpp"
#include "proxy/telemetry/refusals.hpp"

namespace spillway::admin {

/// What the pages show. All of it must outlive the server.
struct PageSources {
  const telemetry::Metrics* metrics;
  telemetry::MetricSources values;
  std::function<admission::Snapshot()> admission;  ///< at the moment of the call
  std::function<admission::SizedAdvice()> advice;
  const telemetry::History* history;
  const telemetry::Refusals* refusals;
  std::function<std::string()> effective_config;  ///< YAML, secrets hidden
};

/// The pages /, /metrics, /health, /ready, /config, /stats and /advice; and the data that / draws: /stats/history, of the last
/// 15 minutes, and /stats/latest, the end of it.
Server::Pages pages(PageSources sources);

}  // namespace spillway::admin
