#pragma once

#include "api/auth/tokens.hpp"
#include "api/auth/users.hpp"
#include "api/endpoints/http.hpp"
#include "api/endpoints/services.hpp"
#include "proxy/net/io.hpp"

/// Every endpoint of the API, each in a file of its own. `server/routes.cpp` says at which path it is.
namespace api::endpoints {

/// What the endpoints of one worker use. Only on the worker's thread.
struct Context {
  Context(Services& the_services, net::Executor the_executor)
      : services(the_services), executor(the_executor), tokens(the_services.tokens) {}

  Services& services;
  net::Executor executor;
  auth::TokenCache tokens;
  auth::UserCache users;
};

/// Fills the response. The caller keeps all three until the end.
using Handler = net::Task<> (*)(Context& context, Request& request, Response& response);

net::Task<> login(Context& context, Request& request, Response& response);
net::Task<> scholarships(Context& context, Request& request, Response& response);
net::Task<> scholarship(Context& context, Request& request, Response& response);
net::Task<> search(Context& context, Request& request, Response& response);
net::Task<> eligibility(Context& context, Request& request, Response& response);
net::Task<> health(Context& context, Request& request, Response& response);
net::Task<> ready(Context& context, Request& request, Response& response);
net::Task<> openapi(Context& context, Request& request, Response& response);
net::Task<> docs(Context& context, Request& request, Response& response);
net::Task<> metrics(Context& context, Request& request, Response& response);

/// The step before every endpoint that needs a bearer token. False: the request has been answered.
net::Task<bool> authenticate(Context& context, Request& request, Response& response);

}  // namespace api::endpoints
