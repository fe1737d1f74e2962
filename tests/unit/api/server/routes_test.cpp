// The table of routes.

#include "api/server/routes.hpp"

#include <doctest/doctest.h>

namespace api {
namespace {

TEST_CASE("Every path has its endpoint and its methods") {
  struct {
    Method method;
    std::string_view path;
    endpoints::Handler handler;  ///< null: no route has the path
    bool allowed;
  } const cases[] = {
      {Method::get, "/api/v1/search", endpoints::search, true},
      {Method::head, "/api/v1/search", endpoints::search, true},
      {Method::post, "/api/v1/search", endpoints::search, false},
      {Method::get, "/api/v1/scholarships", endpoints::scholarships, true},
      {Method::get, "/api/v1/scholarships/7", endpoints::scholarship, true},
      {Method::get, "/api/v1/scholarships/", nullptr, false},
      {Method::get, "/api/v1/scholarships/7/", nullptr, false},
      {Method::get, "/api/v1/scholarships/7/8", nullptr, false},
      {Method::post, "/api/v1/eligibility/check", endpoints::eligibility, true},
      {Method::post, "/api/v1/auth/login", endpoints::login, true},
      {Method::get, "/api/v1/auth/login", endpoints::login, false},
      {Method::get, "/api/v1/openapi.json", endpoints::openapi, true},
      {Method::get, "/health", endpoints::health, true},
      {Method::other, "/health", endpoints::health, false},
      {Method::options, "/health", endpoints::health, true},
      {Method::options, "/api/v1/auth/login", endpoints::login, true},
      {Method::get, "/api/v1/docs", endpoints::docs, true},
      {Method::get, "/metrics", nullptr, false},
      {Method::get, "/ready", endpoints::ready, true},
      {Method::get, "/", nullptr, false},
      {Method::get, "/healthy", nullptr, false},
      {Method::get, "/api/v1/../v1/search", nullptr, false},
  };
  for (const auto& [method, path, handler, allowed] : cases) {
    CAPTURE(path);
    const RouteMatch match = match_route(routes(), method, path);
    const bool expected = (match.route ? match.route->handler : nullptr) == handler;
    CHECK(expected);
    CHECK(match.method_allowed == allowed);
  }
  CHECK(match_route(routes(), Method::get, "/api/v1/scholarships/7").id == "7");
}

TEST_CASE("Only login, the API's description and monitoring need no token") {
  for (const Route& route : routes()) {
    CAPTURE(route.path);
    const bool monitoring = route.path == "/health" || route.path == "/ready";
    const bool open =
        route.path == "/api/v1/auth/login" || route.path == "/api/v1/openapi.json" || route.path == "/api/v1/docs";
    CHECK(route.access == (monitoring ? Access::monitoring : open ? Access::open : Access::bearer));
    CHECK(allowed_methods(route) == (route.method == Method::get ? "GET, HEAD, OPTIONS" : "POST, OPTIONS"));
  }
}

TEST_CASE("The admin listener has pages for monitoring only") {
  for (const Route& route : admin_routes()) {
    CAPTURE(route.path);
    CHECK(route.access == Access::monitoring);
    CHECK(route.endpoint == Endpoint::admin);
  }
  CHECK(match_route(admin_routes(), Method::get, "/metrics").route);
  CHECK_FALSE(match_route(admin_routes(), Method::get, "/api/v1/scholarships").route);
}

}  // namespace
}  // namespace api
