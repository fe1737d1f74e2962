#include "api/server/routes.hpp"

#include "api/endpoints/problem.hpp"

namespace api {

namespace {

constexpr Route kRoutes[] = {
    {"/api/v1/search", Method::get, endpoints::search, Endpoint::search},
    {"/api/v1/scholarships/", Method::get, endpoints::scholarship, Endpoint::scholarship},
    {"/api/v1/scholarships", Method::get, endpoints::scholarships, Endpoint::scholarships},
    {"/api/v1/eligibility/check", Method::post, endpoints::eligibility, Endpoint::eligibility},
    {"/api/v1/auth/login", Method::post, endpoints::login, Endpoint::login, Access::open},
    {"/api/v1/openapi.json", Method::get, endpoints::openapi, Endpoint::openapi, Access::open},
    {"/api/v1/docs", Method::get, endpoints::docs, Endpoint::openapi, Access::open},
    {"/health", Method::get, endpoints::health, Endpoint::health, Access::monitoring},
    {"/ready", Method::get, endpoints::ready, Endpoint::ready, Access::monitoring},
};

constexpr Route kAdminRoutes[] = {
    {"/metrics", Method::get, endpoints::metrics, Endpoint::admin, Access::monitoring},
    {"/health", Method::get, endpoints::health, Endpoint::admin, Access::monitoring},
    {"/ready", Method::get, endpoints::ready, Endpoint::admin, Access::monitoring},
};

void answer_options(Response& response, std::string_view allow) {
  response.status = 204;
  response.allow = allow;
}

}  // namespace

std::span<const Route> routes() {
  return kRoutes;
}

std::span<const Route> admin_routes() {
  return kAdminRoutes;
}

net::Task<> dispatch(RouteMatch match, endpoints::Context& context, Request& request, Response& response) {
  if (request.path == kWholeServer) {
    answer_options(response, "GET, HEAD, POST, OPTIONS");
    co_return;
  }
  if (!match.route) {
    answer_problem(request, response, 404, "There is nothing at this path");
    co_return;
  }
  if (!match.method_allowed) {
    answer_problem(request, response, 405, "This path does not take this method");
    response.allow = allowed_methods(*match.route);
    co_return;
  }
  if (request.method == Method::options) {
    answer_options(response, allowed_methods(*match.route));
    co_return;
  }
  if (match.route->access == Access::bearer) {
    const bool known = co_await endpoints::authenticate(context, request, response);
    if (!known) co_return;
  }
  request.id = match.id;
  co_await match.route->handler(context, request, response);
}

}  // namespace api
