#pragma once

#include <atomic>

#include "api/auth/passwords.hpp"
#include "api/auth/tokens.hpp"
#include "api/auth/users.hpp"
#include "api/config.hpp"
#include "api/http.hpp"
#include "api/repository.hpp"
#include "api/routes.hpp"

namespace api {

/// What all workers share. Thread-safe.
struct Services {
  Services(const ApiConfig& config, db::Pool& the_pool);

  db::Pool& pool;
  Repository repository;
  auth::Tokens tokens;
  auth::PasswordVerifier passwords;
  std::atomic<bool> checked{false};  ///< the database was found to be fit
};

/// One worker's handlers: every endpoint, from request to response.
class Handlers {
 public:
  Handlers(Services& services, Executor executor)
      : services_(services), executor_(executor), tokens_(services.tokens) {}

  /// Both live in the caller until the end.
  Awaitable<> handle(Request& request, Response& response);

 private:
  Awaitable<> login(Request& request, Response& response);
  Awaitable<> scholarships(Request& request, Response& response);
  Awaitable<> scholarship(Request& request, Response& response, std::string_view id);
  Awaitable<> search(Request& request, Response& response);
  Awaitable<> eligibility(Request& request, Response& response);
  void ready(Request& request, Response& response);
  void refuse_login(const Request& request, Response& response, const auth::Outcome& outcome);
  const auth::Claims* bearer(const Request& request);
  Awaitable<auth::Standing> look_up(Request& request, Response& response, auth::Claims claims);

  Services& services_;
  Executor executor_;
  auth::TokenCache tokens_;
  auth::UserCache users_;
};

}  // namespace api
