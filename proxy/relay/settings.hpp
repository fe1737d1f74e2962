#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/admission/policy.hpp"
#include "proxy/classify/classify.hpp"
#include "proxy/classify/client_key.hpp"
#include "proxy/classify/cohorts.hpp"
#include "proxy/config/config.hpp"
#include "proxy/tls/server_context.hpp"
#include "proxy/upstream/connection_pool.hpp"

namespace spillway::relay {

/// What TLS needs beside the configuration: files that have been read.
struct Contexts {
  std::vector<std::shared_ptr<const tls::ServerContext>> listeners;  ///< by entry of `listen`; null: plain
  std::shared_ptr<const tls::ServerContext> admin;                   ///< null: plain
  std::shared_ptr<const tls::ClientContext> upstream;                ///< null: plain
};

/// A configuration as the request path uses it. Immutable; every worker holds a copy of its own, and a request keeps
/// the one it began with.
struct Settings {
  explicit Settings(const ProxyConfig& c, Contexts tls_contexts = {});

  /// Whether a peer is one of `trusted_proxies`. A unix socket's peer (no address) is: the file's mode guards it.
  bool trusts(std::string_view peer) const;

  /// Whether admission refuses requests. In the modes `shadow` and `off` it does not.
  bool enforces() const { return config.admission.mode == admission::Mode::enforce; }

  /// How much of `limits.buffered` large blocks may fill, so that bodies that are held find room beside those that
  /// flow.
  std::size_t flow_memory() const { return config.limits.buffered / 2; }

  ProxyConfig config;
  Contexts contexts;
  classify::Classifier classifier;
  std::vector<bool> critical;       ///< by class index: served during maintenance
  std::vector<Duration> deadlines;  ///< by class index: of a request that tells none; 0: none
  upstream::ConnectionLimits pool;
  classify::ClientKeys client_keys;  ///< for fairness
  classify::Cohorts cohorts;
  std::string cors_exposed;  ///< `refusals.cors.expose_headers` as a field's value
  double trace_ratio;        ///< of the traces begun here; 0 without a collector
  int maintenance_retry_after_seconds;
  /// How long a connection without a request stays. Where no answer leaves it open, it has yet to send its first one.
  Duration idle_for;
};

}  // namespace spillway::relay
