#pragma once

#include <atomic>
#include <vector>

#include "api/auth/passwords.hpp"
#include "api/auth/tokens.hpp"
#include "api/config/config.hpp"
#include "api/db/repository.hpp"
#include "api/endpoints/metrics.hpp"
#include "proxy/tracing/queue.hpp"

namespace api {

/// What the endpoints of all workers share. Thread-safe.
struct Services {
  Services(const ApiConfig& config, db::Pool& the_pool);

  /// For `tokens`: what the configuration says.
  static std::vector<auth::Secret> secrets(const AuthConfig& config);

  db::Pool& pool;
  Repository repository;
  auth::Tokens tokens;
  auth::PasswordVerifier passwords;
  Metrics metrics;
  const tracing::Queue* spans = nullptr;  ///< null: none are recorded; set before the workers run
  std::atomic<bool> checked{false};       ///< the database has been found usable
  std::atomic<int> degrade_from;          ///< pressure in hundredths from which answers are degraded
  std::atomic<int> missing_migration{0};  ///< why it is not usable; 0: not known
};

}  // namespace api
