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
#include "config/tracing.hpp"
#include "proxy/admission/policy.hpp"
#include "proxy/config/log_fields.hpp"
#include "proxy/config/refusals.hpp"
#include "proxy/http/head_limits.hpp"
#include "proxy/http2/limits.hpp"
#include "proxy/net/clock.hpp"

namespace spillway {

using namespace std::chrono_literals;

/// The proxy's configuration. The member initialisers are the defaults. fields.cpp describes each field: unit, range,
/// meaning of zero; config/REFERENCE.md is generated from it.

struct AdminConfig {
  config::Listen listen = {.address = config::Address::tcp("127.0.0.1", 9901)};
};

enum class HealthMode : std::uint8_t { http, tcp, off };

struct HealthConfig {
  HealthMode mode = HealthMode::http;
  std::string path = "/health";
  std::string host;                ///< empty: the upstream's address
  std::string expect = "200-399";  ///< see `expected`
  Duration interval = 1s;
  Duration timeout = 500ms;
  int fall = 3;
  int rise = 1;
};

/// Whether `status` is in `expect`, a list of statuses and ranges such as `200,301-399`.
bool expected(std::string_view expect, int status);

enum class WhenClientLeaves : std::uint8_t { finish, cancel };

/// TLS to the API.
struct UpstreamTls {
  bool enabled = false;
  std::string server_name;  ///< empty: the host of the address
  std::string ca;           ///< empty: the system's store
  bool verify = true;
  std::string certificate;  ///< to show to the API; empty: none
  std::string key;          ///< empty: it is in the file of the certificate

  bool operator==(const UpstreamTls&) const = default;
};

struct UpstreamConfig {
  config::Address address = config::Address::tcp("127.0.0.1", 8081);
  Duration resolve_interval = 5s;
  std::optional<int> max_connections;  ///< unset: `auto`
  int max_idle = 64;
  Duration idle_timeout = 30s;
  Duration connect_timeout = 1s;
  WhenClientLeaves when_client_leaves = WhenClientLeaves::finish;
  UpstreamTls tls;
  HealthConfig health;
};

struct TimeoutsConfig {
  Duration handshake = 5s;
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
  int connections_per_client = 0;  ///< 0: no such limit
  int handshakes = 100;
  http::HeadLimits request_head;
  http::HeadLimits response_head{.head = 64 * 1024, .headers = 200};
  std::uint64_t body = 10 * 1024 * 1024;  ///< 0: no limit
  std::uint64_t buffered = 64 * 1024 * 1024;
  std::uint64_t min_rate = 1024;  ///< bytes a second; 0: none
  http2::Limits http2;
};

/// What identifies a client: `none`, `client_ip`, `bearer`, `header:NAME` or `cookie:NAME`.
struct ClientKey {
  enum class Source : std::uint8_t { none, client_ip, bearer, certificate, header, cookie };
  Source source = Source::none;
  std::string name;  ///< of the header or cookie, as written; names of fields compare without case

  bool operator==(const ClientKey&) const = default;
};

/// What makes one client: the keys of `admission.fairness` except the share, which is in the admission policy.
struct ClientKeyConfig {
  ClientKey key;
  int ipv6_prefix = 64;
};

/// Which clients are refused together under standing overload.
struct CohortConfig {
  ClientKey key;
  Duration rotate = 10min;
  std::string seed;
};

/// What is asked of a request: all parts that are given. At least one of them must be given besides `value`.
struct MatchConditions {
  std::optional<std::string> path;
  std::optional<std::string> path_prefix;
  std::optional<std::string> path_regex;  ///< see `PathExpression`
  std::optional<std::string> method;
  std::optional<std::string> host;  ///< without a port; `*.` in front: any name below
  std::optional<std::string> header;
  std::optional<std::string> query;   ///< name of a parameter
  std::optional<std::string> cookie;  ///< name
  std::optional<std::string> value;   ///< of the one of `header`, `query` and `cookie`; if not given, any value
  std::optional<std::string> client_certificate;  ///< attributes of the subject (RFC 4514), all of which it must have

  bool any() const {
    return path || path_prefix || path_regex || method || host || header || query || cookie || client_certificate;
  }
};

/// A rule holds if its conditions do, and those of `except` do not, unless that has none.
struct MatchRule : MatchConditions {
  MatchConditions except;
};

/// The class that is served during maintenance.
inline constexpr std::string_view kCriticalClass = "critical";

/// The policy of a class, and the requests that belong to it.
struct ClassConfig : admission::ClassPolicy {
  std::vector<MatchRule> match;  ///< one of them must hold
  Duration deadline{};           ///< for the answer to a request that tells none of its own; 0: none
};

/// The only class of a configuration without classes: `critical`, for GET of the health path.
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
  std::vector<LogFieldChoice> fields = {LogFieldChoice{}};
};

enum class Io : std::uint8_t { automatic, epoll, io_uring };

enum class Reload : std::uint8_t { automatic, signal };

struct ProxyConfig {
  std::vector<config::Listen> listen = {{.address = config::Address::tcp("0.0.0.0", 8080)}};
  Io io = Io::automatic;
  int workers = 1;
  Reload reload = Reload::automatic;
  std::string handover;  ///< path of a unix socket; empty: no successor can take over
  AdminConfig admin;
  UpstreamConfig upstream;
  TimeoutsConfig timeouts;
  LimitsConfig limits;
  admission::Policy admission;  ///< lacks `classes` and the interval of polls: see `admission_policy`
  ClientKeyConfig client_key;
  CohortConfig cohorts;
  std::vector<ClassConfig> classes;  ///< the first match counts; if there is none, `describe` adds `critical_health`
  RetryConfig retry;
  MaintenanceConfig maintenance;
  RefusalsConfig refusals;
  config::TracingConfig tracing{.service_name = "spillway"};
  std::vector<config::Cidr> trusted_proxies;
  bool trust_traces = false;
  bool forwarded_header = false;
  LogConfig log;
};

/// `upstream.max_connections`. `auto` is enough for all requests in flight, streams and idle connections, and at least
/// `kAutoConnections`.
inline constexpr int kAutoConnections = 256;
int most_upstream_connections(const ProxyConfig& c);

/// The whole policy of admission: also the configured classes, behind the default class, and the interval of polls.
admission::Policy admission_policy(const ProxyConfig& c);

}  // namespace spillway
