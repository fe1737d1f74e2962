#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/address.hpp"
#include "config/cidr.hpp"
#include "config/load.hpp"
#include "config/log.hpp"
#include "config/tracing.hpp"

namespace api {

using namespace std::chrono_literals;

/// The API's configuration. The member initialisers are the defaults; units, ranges and the meaning of zero stand
/// with each field's description in config.cpp.

struct DatabaseConfig {
  std::string url;
  int pool_size = 20;
  int max_overflow = 30;
  std::chrono::nanoseconds pool_timeout = 10s;
  std::chrono::nanoseconds pool_recycle = 30min;
  bool pool_pre_ping = true;
  bool echo_pool = false;
  std::chrono::nanoseconds connect_timeout = 5s;
  std::chrono::nanoseconds ping_timeout = 1s;
  std::chrono::nanoseconds statement_timeout = 5s;
  bool prepared_statements = true;
  bool wait_when_down = false;
  std::string migrate_url;
};

struct AdminConfig {
  std::string listen;
};

struct SecretConfig {
  std::string kid;
  std::string secret;

  bool operator==(const SecretConfig&) const = default;
};

struct AuthConfig {
  std::optional<std::string> secret;  ///< the only one, without a name
  std::vector<SecretConfig> secrets;  ///< instead of it: the first signs, all verify
  std::chrono::nanoseconds token_ttl = 1h;
  int hash_threads = 1;
  int hash_queue = 32;
  int max_failures = 10;
  std::chrono::nanoseconds failure_window = 1min;
};

struct LimitsConfig {
  int connections = 1000;
  int in_flight = 500;
  std::uint64_t head = 16 * 1024;
  std::uint64_t body = 64 * 1024;
};

struct TimeoutsConfig {
  std::chrono::nanoseconds request = 10s;
  std::chrono::nanoseconds keep_alive = 75s;
  std::chrono::nanoseconds drain = 20s;
};

using config::AccessLog;
using config::LogLevel;

struct LogConfig {
  LogLevel level = LogLevel::info;
  AccessLog access = AccessLog::errors;
};

struct ApiConfig {
  config::Address listen = config::Address::tcp("127.0.0.1", 8081);
  int workers = 1;
  DatabaseConfig database;
  AuthConfig auth;
  LimitsConfig limits;
  TimeoutsConfig timeouts;
  AdminConfig admin;
  config::TracingConfig tracing{.service_name = "scholarship-api"};
  double degrade_at = 0.80;
  std::vector<config::Cidr> trusted_proxies;
  LogConfig log;

  ApiConfig();
};

void describe(config::Fields& f, ApiConfig& c);
void check(const ApiConfig& c, config::Problems& problems);

inline constexpr config::Definition<ApiConfig> kApiDefinition{describe, check};

}  // namespace api
