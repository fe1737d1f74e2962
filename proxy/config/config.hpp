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

namespace spillway {

using Duration = std::chrono::nanoseconds;
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

enum class Methods : std::uint8_t { known, any };

struct LimitsConfig {
  int connections = 10000;
  int connections_per_client = 0;  ///< 0: no limit of its own
  std::uint64_t head = 16 * 1024;
  int headers = 100;
  std::uint64_t uri = 8 * 1024;
  std::uint64_t body = 10 * 1024 * 1024;  ///< 0: no limit
  std::uint64_t response_head = 64 * 1024;
  int response_headers = 200;
  std::uint64_t buffered = 64 * 1024 * 1024;
  std::uint64_t min_rate = 1024;  ///< bytes a second; 0: none
  bool allow_underscores = false;
  Methods methods = Methods::known;
};

enum class AdmissionMode : std::uint8_t { enforce, shadow, off };

/// `5s`; `4s..8s`, drawn for each refusal; or `auto`: from how fast requests finish at the moment.
struct RetryAfter {
  bool automatic = false;
  Duration least = 5s, most = 5s;  ///< rounded up to whole seconds where it is sent

  bool operator==(const RetryAfter&) const = default;
};

struct QueueConfig {
  int max_length = 100;
  Duration max_wait = 1s;
  Duration target = 5ms;
  Duration interval = 100ms;
};

struct AdaptiveConfig {
  bool enabled = false;
  int min = 4;
};

/// Whose share of the slots is limited: `none`, `client_ip` or `header:NAME`.
struct FairnessKey {
  enum class Source : std::uint8_t { none, client_ip, header };
  Source source = Source::none;
  std::string header;  ///< as written; field names compare without case

  bool operator==(const FairnessKey&) const = default;
};

struct FairnessConfig {
  FairnessKey key;
  int ipv6_prefix = 64;
  double share = 0.5;
};

struct AdmissionConfig {
  AdmissionMode mode = AdmissionMode::enforce;
  int max_concurrent = 100;
  double shed_at = 0.80;
  RetryAfter retry_after;
  QueueConfig queue;
  AdaptiveConfig adaptive;
  bool pool_aware = true;
  FairnessConfig fairness;
};

/// All parts that are given must hold; at least one of the first four is.
struct MatchRule {
  std::optional<std::string> path;
  std::optional<std::string> path_prefix;
  std::optional<std::string> method;
  std::optional<std::string> header;
  std::optional<std::string> value;  ///< of `header`; without it, that the header is there
};

/// The class of a request that no rule matches; its threshold is `admission.shed_at`.
inline constexpr std::string_view kDefaultClass = "normal";
/// The class that maintenance lets through.
inline constexpr std::string_view kCriticalClass = "critical";

struct ClassConfig {
  std::string name;
  double shed_at = 0.80;
  int reserve = 0;
  std::vector<MatchRule> match;  ///< any of them
};

/// The only class of a configuration that names none: `critical`, for GET of the health path.
ClassConfig critical_health(const HealthConfig& health);

struct BreakerConfig {
  bool enabled = true;
  Duration window = 10s;
  int min_requests = 20;
  double failure_ratio = 0.5;
  Duration slow_call = 5s;
  double slow_ratio = 0.8;
  Duration open_for = 5s;
  Duration max_open = 60s;
  int trial_requests = 5;
  Duration ramp = 5s;
};

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
  AdmissionConfig admission;
  std::vector<ClassConfig> classes;  ///< first match wins; without any, `describe` puts in `critical_health`
  BreakerConfig breaker;
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

}  // namespace spillway
