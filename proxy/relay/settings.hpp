#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proxy/admission/policy.hpp"
#include "proxy/classify/classify.hpp"
#include "proxy/config/config.hpp"
#include "proxy/http/message.hpp"
#include "proxy/upstream/connection_pool.hpp"

namespace spillway::relay {

/// A configuration as the request path uses it. Immutable; every worker holds a copy of its own, and a request keeps
/// the one it began with.
struct Settings {
  explicit Settings(const ProxyConfig& c);

  /// Whether a peer is one of `trusted_proxies`. A unix socket's peer (no address) is: the file's mode guards it.
  bool trusts(std::string_view peer) const;

  ProxyConfig config;
  http::HeadLimits request_head;
  http::HeadLimits response_head;
  classify::Classifier classifier;
  std::vector<bool> critical;  ///< by class index: served during maintenance
  upstream::PoolLimits pool;
  std::string fairness_header;  ///< in lower case; empty unless clients are told apart by one
  int maintenance_retry_after_seconds;
};

admission::Policy admission_policy(const ProxyConfig& config);

}  // namespace spillway::relay
