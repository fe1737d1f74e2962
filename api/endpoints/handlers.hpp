#pragma once

#include <atomic>
#include <mutex>

#include "api/auth/login_limit.hpp"
#include "api/auth/passwords.hpp"
#include "api/auth/tokens.hpp"
#include "api/server/config.hpp"
#include "api/endpoints/http.hpp"
#include "api/db/repository.hpp"
#include "api/server/routes.hpp"

namespace api {

/// What all workers share. Thread-safe.
struct Services {
  Services(const ApiConfig& config, db::Pool& the_pool);

  db::Pool& pool;
  Repository repository;
  auth::Tokens tokens;
  auth::PasswordVerifier passwords;
  std::mutex login_limit_mutex;
  auth::LoginLimit login_limit;      // guarded by login_limit_mutex
  std::atomic<bool> checked{false};  ///< the database was found to be fit
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
  bool authenticated(const Request& request);

  Services& services_;
  net::Executor executor_;
  auth::TokenCache tokens_;
};

}  // namespace api
