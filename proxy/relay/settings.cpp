#include "proxy/relay/settings.hpp"

#include <algorithm>
#include <cmath>

#include "config/forwarded.hpp"

namespace spillway::relay {

namespace {

int whole_seconds(Duration duration) {
  return static_cast<int>(std::ceil(std::chrono::duration<double>(duration).count()));
}

admission::BreakerPolicy breaker_policy(const BreakerConfig& c) {
  return {.enabled = c.enabled,
          .window = c.window,
          .min_requests = c.min_requests,
          .failure_ratio = c.failure_ratio,
          .slow_call = c.slow_call > Duration::zero() ? c.slow_call : Duration::max(),
          .slow_ratio = c.slow_ratio,
          .open_for = c.open_for,
          .max_open = c.max_open,
          .trial_requests = c.trial_requests,
          .ramp = c.ramp};
}

}  // namespace

Settings::Settings(const ProxyConfig& c)
    : config(c),
      request_head{.head = c.limits.head,
                   .uri = c.limits.uri,
                   .headers = static_cast<std::size_t>(c.limits.headers),
                   .underscores = c.limits.allow_underscores,
                   .any_method = c.limits.methods == Methods::any},
      response_head{.head = c.limits.response_head,
                    .headers = static_cast<std::size_t>(c.limits.response_headers),
                    .underscores = true},
      classifier(c.classes, c.admission.shed_at),
      pool{.max_connections = most_upstream_connections(c),
           .enforced = c.admission.mode == AdmissionMode::enforce,
           .max_idle = (c.upstream.max_idle + c.workers - 1) / c.workers,
           .idle_timeout = c.upstream.idle_timeout},
      client_keys(c.admission.fairness, c.trusted_proxies),
      maintenance_retry_after_seconds(whole_seconds(c.maintenance.retry_after)),
      idle_for(c.timeouts.keep_alive > Duration::zero() ? c.timeouts.keep_alive : c.timeouts.request_head) {
  for (const std::string& name : classify::class_names(c.classes)) critical.push_back(name == kCriticalClass);
  // A connection idle at another worker cannot be taken, so idle ones must leave room for every request in flight.
  if (c.workers > 1)
    pool.max_idle = std::min(pool.max_idle, (pool.max_connections - c.admission.max_concurrent) / c.workers);
}

bool Settings::trusts(std::string_view peer) const {
  return config::trusts(config.trusted_proxies, peer);
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
  policy.adaptive = {config.admission.adaptive.enabled, config.admission.adaptive.min};
  policy.pool_aware = config.admission.pool_aware;
  policy.fairness_share = config.admission.fairness.share;
  const RetryAfter& retry_after = config.admission.retry_after;
  policy.retry_after = {retry_after.automatic, retry_after.least, retry_after.most};
  policy.breaker = breaker_policy(config.breaker);
  policy.poll_interval = config.upstream.health.interval;
  return policy;
}

}  // namespace spillway::relay
