#include "api/server/routes.hpp"

#include "api/endpoints/problem.hpp"

namespace api {

namespace {

constexpr Route kRoutes[] = {
    {"/api/v1/search", Method::get, endpoints::search},
    {"/api/v1/scholarships/", Method::get, endpoints::scholarship},
    {"/api/v1/scholarships", Method::get, endpoints::scholarships},
    {"/api/v1/eligibility/check", Method::post, endpoints::eligibility},
    {"/api/v1/auth/login", Method::post, endpoints::login, Access::open},
    {"/api/v1/openapi.json", Method::get, endpoints::openapi, Access::open},
    {"/health", Method::get, endpoints::health, Access::monitoring},
    {"/ready", Method::get, endpoints::ready, Access::monitoring},
};

}  // namespace

std::span<const Route> routes() {
  return kRoutes;
}

net::Task<> dispatch(RouteMatch match, endpoints::Context& context, Request& request, Response& response) {
  if (!match.route) {
    answer_problem(request, response, 404, "There is nothing at this path");
    co_return;
  }
  if (!match.method_allowed) {
    answer_problem(request, response, 405, "This path does not take this method");
    response.allow = allowed_methods(*match.route);
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
