#pragma once

#include <atomic>

#include "api/auth/passwords.hpp"
#include "api/auth/tokens.hpp"
#include "api/auth/users.hpp"
#include "api/config/config.hpp"
#include "api/db/repository.hpp"
#include "api/endpoints/http.hpp"
#include "api/endpoints/routes.hpp"

namespace api {

/// What all workers share. Thread-safe.
struct Services {
  Services(const ApiConfig& config, db::Pool& the_pool);

  db::Pool& pool;
  Repository repository;
  auth::Tokens tokens;
  auth::PasswordVerifier passwords;
  std::atomic<bool> checked{false};       ///< the database was found to be fit
  std::atomic<int> missing_migration{0};  ///< why it was not; 0: it has not said
};

/// One worker's handlers: every endpoint, from request to response.
class Handlers {
 public:
  Handlers(Services& services, net::Executor executor)
      : services_(services), executor_(executor), tokens_(services.tokens) {}

  /// Both live in the caller until the end.
  net::Task<> handle(Request& request, Response& response);

 private:
  net::Task<> login(Request& request, Response& response);
  net::Task<> scholarships(Request& request, Response& response);
  net::Task<> scholarship(Request& request, Response& response, std::string_view id);
  net::Task<> search(Request& request, Response& response);
  net::Task<> eligibility(Request& request, Response& response);
  void ready(Request& request, Response& response);
  void refuse_login(const Request& request, Response& response, const auth::Outcome& outcome);
  const auth::Claims* bearer(const Request& request);
  net::Task<auth::Standing> look_up(Request& request, Response& response, auth::Claims claims);

  Services& services_;
  net::Executor executor_;
  auth::TokenCache tokens_;
  auth::UserCache users_;
};

}  // namespace api
