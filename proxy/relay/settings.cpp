#include "proxy/relay/settings.hpp"

#include <algorithm>
#include <cmath>

#include "config/forwarded.hpp"

namespace spillway::relay {

namespace {

int whole_seconds(Duration duration) {
  return static_cast<int>(std::ceil(std::chrono::duration<double>(duration).count()));
}

}  // namespace

Settings::Settings(const ProxyConfig& c, Contexts tls_contexts)
    : config(c),
      contexts(std::move(tls_contexts)),
      classifier(c.classes, c.admission.classes.front().shed_at),
      pool{.max_connections = most_upstream_connections(c),
           .enforced = c.admission.mode == admission::Mode::enforce,
           .max_idle = (std::min(c.upstream.max_idle, most_upstream_connections(c)) + c.workers - 1) / c.workers,
           .idle_timeout = c.upstream.idle_timeout},
      client_keys(c.client_key.key, c.client_key.ipv6_prefix),
      cohorts(c.cohorts, c.client_key.ipv6_prefix),
      trace_ratio(c.tracing.enabled() ? c.tracing.sample_ratio : 0),
      maintenance_retry_after_seconds(whole_seconds(c.maintenance.retry_after)),
      idle_for(c.timeouts.keep_alive > Duration::zero() ? c.timeouts.keep_alive : c.timeouts.request_head) {
  for (const std::string& name : c.refusals.cors.expose_headers) {
    cors_exposed += (cors_exposed.empty() ? "" : ", ") + name;
  }
  for (const std::string& name : classify::class_names(c.classes)) critical.push_back(name == kCriticalClass);
  deadlines.push_back(Duration::zero());  // of the default class
  for (const ClassConfig& each : c.classes) deadlines.push_back(each.deadline);
  // A connection idle at another worker cannot be taken, so idle ones must leave room for every request in flight.
  if (c.workers > 1)
    pool.max_idle = std::min(pool.max_idle, (pool.max_connections - c.admission.max_concurrent) / c.workers);
}

bool Settings::trusts(std::string_view peer) const {
  return config::trusts(config.trusted_proxies, peer);
}

}  // namespace spillway::relay
