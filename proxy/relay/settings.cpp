#include "proxy/relay/settings.hpp"

#include <algorithm>
#include <cmath>

namespace spillway::relay {

namespace {

/// The class that maintenance lets through.
constexpr std::string_view kCriticalClass = "critical";

int whole_seconds(Duration duration) {
  return static_cast<int>(std::ceil(std::chrono::duration<double>(duration).count()));
}

}  // namespace

Settings::Settings(const ProxyConfig& c)
    : config(c),
      request_head{c.limits.head, c.limits.uri, static_cast<std::size_t>(c.limits.headers), c.limits.allow_underscores},
      response_head{c.limits.head, c.limits.uri, static_cast<std::size_t>(c.limits.headers), true},
      classifier(c.classes),
      pool{c.upstream.max_connections, (c.upstream.max_idle + c.workers - 1) / c.workers, c.upstream.idle_timeout},
      retry_after_seconds(whole_seconds(c.admission.retry_after.fixed)),
      maintenance_retry_after_seconds(whole_seconds(c.maintenance.retry_after)) {
  for (const std::string& name : classify::class_names(c.classes)) critical.push_back(name == kCriticalClass);
  // A connection idle at another worker cannot be taken, so idle ones must leave room for every request in flight.
  if (c.workers > 1)
    pool.max_idle = std::min(pool.max_idle, (c.upstream.max_connections - c.admission.max_concurrent) / c.workers);
}

bool Settings::trusts(const std::string& peer) const {
  if (config.trusted_proxies.empty()) return peer.empty();
  config::IpBytes address;
  if (!config::parse(peer, address)) return peer.empty();
  return std::any_of(config.trusted_proxies.begin(), config.trusted_proxies.end(),
                     [&](const config::Cidr& cidr) { return cidr.contains(address); });
}

admission::Policy admission_policy(const ProxyConfig& config) {
  admission::Policy policy;
  switch (config.admission.mode) {
    case AdmissionMode::enforce:
      policy.mode = admission::Mode::enforce;
      break;
    case AdmissionMode::shadow:
      policy.mode = admission::Mode::shadow;
      break;
    case AdmissionMode::off:
      policy.mode = admission::Mode::off;
      break;
  }
  policy.max_concurrent = config.admission.max_concurrent;
  policy.classes.push_back({std::string(kDefaultClass), config.admission.shed_at});
  for (const ClassConfig& c : config.classes) policy.classes.push_back({c.name, c.shed_at, c.reserve});
  const QueueConfig& queue = config.admission.queue;
  policy.queue = {queue.max_length, queue.max_wait, queue.target, queue.interval};
  return policy;
}

}  // namespace spillway::relay
