#pragma once

#include "proxy/admin/server.hpp"
#include "proxy/telemetry/metrics.hpp"

namespace spillway::admin {

/// What the pages are made from. Everything referred to outlives the server.
struct PageSources {
  const telemetry::Metrics* metrics;
  telemetry::MetricSources values;
  std::function<std::string()> effective_config;  ///< YAML, secrets hidden
};

/// The pages of the contract: /, /metrics, /health, /ready, /config, /stats.
Server::Pages pages(PageSources sources);

}  // namespace spillway::admin
