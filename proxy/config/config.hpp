#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/address.hpp"
#include "config/cidr.hpp"
#include "config/listen.hpp"
#include "config/log.hpp"
#include "proxy/admission/policy.hpp"
#include "proxy/http/head_limits.hpp"
#include "proxy/net/clock.hpp"

namespace spillway {

using namespace std::chrono_literals;

/// The proxy's configuration. The member initialisers are the defaults; units, ranges and the meaning of zero stand
/// with each field's description in fields.cpp and, generated from it, in config/REFERENCE.md.

struct AdminConfig {
  config::Address listen = config::Address::tcp("127.0.0.1", 9901);
};

struct HealthConfig {
  std::string path = "/health";
  Duration interval = 1s;
  Duration timeout = 500ms;
};

enum class WhenClientLeaves : std::uint8_t { finish, cancel };

/// A number, or `auto`.
struct MaxConnections {
  std::optional<int> fixed;
  bool operator==(const MaxConnections&) const = default;
};

struct UpstreamConfig {
  config::Address address = config::Address::tcp("127.0.0.1", 8081);
  MaxConnections max_connections;
  int max_idle = 64;
  Duration idle_timeout = 30s;
  Duration connect_timeout = 1s;
  WhenClientLeaves when_client_leaves = WhenClientLeaves::finish;
  HealthConfig health;
};

struct TimeoutsConfig {
  Duration request_head = 10s;
  Duration request_body = 10s;
  Duration response = 30s;
  Duration keep_alive = 60s;
  Duration tunnel = 1h;
  Duration drain = 25s;
  Duration drain_delay = 0s;
};

struct LimitsConfig {
  int connections = 10000;
  int connections_per_client = 0;  ///< 0: no limit of its own
  http::HeadLimits request_head;
  http::HeadLimits response_head{.head = 64 * 1024, .headers = 200, .underscores = true};
  std::uint64_t body = 10 * 1024 * 1024;  ///< 0: no limit
  std::uint64_t buffered = 64 * 1024 * 1024;
  std::uint64_t min_rate = 1024;  ///< bytes a second; 0: none
};

/// Whose share of the slots is limited: `none`, `client_ip` or `header:NAME`.
struct FairnessKey {
  enum class Source : std::uint8_t { none, client_ip, header };
  Source source = Source::none;
  std::string header;  ///< as written; field names compare without case

  bool operator==(const FairnessKey&) const = default;
};

/// Who is one client: `admission.fairness`, but for the share, which is admission's.
struct ClientKeyConfig {
  FairnessKey key;
  int ipv6_prefix = 64;
};

/// All parts that are given must hold; at least one of the first four is.
struct MatchRule {
  std::optional<std::string> path;
  std::optional<std::string> path_prefix;
  std::optional<std::string> method;
  std::optional<std::string> header;
  std::optional<std::string> value;  ///< of `header`; without it, that the header is there
};

/// The class that maintenance lets through.
inline constexpr std::string_view kCriticalClass = "critical";

/// What admission makes of a class, and which requests are of it.
struct ClassConfig : admission::ClassPolicy {
  std::vector<MatchRule> match;  ///< any of them
};

/// The only class of a configuration that names none: `critical`, for GET of the health path.
ClassConfig critical_health(const HealthConfig& health);

struct RetryConfig {
  int attempts = 1;
  double budget = 0.20;
};

struct MaintenanceConfig {
  bool enabled = false;
  Duration retry_after = 60s;
  std::string message = "Down for maintenance, please retry";
};

using config::AccessLog;
using config::LogLevel;
enum class LogFormat : std::uint8_t { automatic, json, text };

struct LogConfig {
  LogLevel level = LogLevel::info;
  AccessLog access = AccessLog::all;
  LogFormat format = LogFormat::automatic;
  bool query = false;
};

enum class Reload : std::uint8_t { automatic, signal };

struct ProxyConfig {
  std::vector<config::Listen> listen = {{config::Address::tcp("0.0.0.0", 8080), {}, {}}};
  int workers = 1;
  Reload reload = Reload::automatic;
  AdminConfig admin;
  UpstreamConfig upstream;
  TimeoutsConfig timeouts;
  LimitsConfig limits;
  admission::Policy admission;  ///< without `classes` and the polls' interval, which `admission_policy` adds
  ClientKeyConfig client_key;
  std::vector<ClassConfig> classes;  ///< first match wins; without any, `describe` puts in `critical_health`
  RetryConfig retry;
  MaintenanceConfig maintenance;
  std::vector<config::Cidr> trusted_proxies;
  bool forwarded_header = false;
  LogConfig log;
};

/// `upstream.max_connections`; `auto` has room for every request in flight and every idle connection, and is never
/// below `kAutoConnections`.
inline constexpr int kAutoConnections = 256;
int most_upstream_connections(const ProxyConfig& c);

/// All that admission goes by: the default class, the configured ones behind it, and how often the API is polled.
admission::Policy admission_policy(const ProxyConfig& c);

}  // namespace spillway
