#include "api/endpoints/services.hpp"

#include <chrono>

#include "api/endpoints/brown_out.hpp"

namespace api {

Services::Services(const ApiConfig& config, db::Pool& the_pool)
    : pool(the_pool),
      repository(the_pool),
      tokens(secrets(config.auth), std::chrono::duration_cast<std::chrono::seconds>(config.auth.token_ttl).count()),
      passwords(config.auth.hash_threads, config.auth.hash_queue,
                auth::LoginLimit(config.auth.max_failures, config.auth.failure_window)),
      degrade_from(api::degrade_from(config.degrade_at)) {}

std::vector<auth::Secret> Services::secrets(const AuthConfig& config) {
  if (config.secret) return {{"", *config.secret}};
  std::vector<auth::Secret> all;
  for (const SecretConfig& each : config.secrets) all.push_back({each.kid, each.secret});
  return all;
}

}  // namespace api
