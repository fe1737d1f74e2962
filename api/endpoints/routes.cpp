#include "api/endpoints/routes.hpp"

namespace api {

namespace {

struct Entry {
  std::string_view path;  ///< ending in `/`: one more segment follows, the id
  Method method;
  Endpoint endpoint;
  bool open;
};

constexpr Entry kRoutes[] = {
    {"/api/v1/search", Method::get, Endpoint::search, false},
    {"/api/v1/scholarships/", Method::get, Endpoint::scholarship, false},
    {"/api/v1/scholarships", Method::get, Endpoint::scholarships, false},
    {"/api/v1/eligibility/check", Method::post, Endpoint::eligibility, false},
    {"/api/v1/auth/login", Method::post, Endpoint::login, true},
    {"/api/v1/openapi.json", Method::get, Endpoint::openapi, true},
    {"/health", Method::get, Endpoint::health, true},
    {"/ready", Method::get, Endpoint::ready, true},
};

bool matches(const Entry& entry, std::string_view path, std::string_view& id) {
  if (!entry.path.ends_with('/')) return path == entry.path;
  if (!path.starts_with(entry.path)) return false;
  id = path.substr(entry.path.size());
  return !id.empty() && id.find('/') == std::string_view::npos;
}

}  // namespace

Route find_route(Method method, std::string_view path) {
  Route route;
  for (const Entry& entry : kRoutes) {
    if (!matches(entry, path, route.id)) continue;
    const bool get = entry.method == Method::get;
    route.allow = get ? "GET, HEAD" : "POST";
    route.endpoint = entry.endpoint;
    route.open = entry.open;
    const bool fits = method == entry.method || (get && method == Method::head);
    route.outcome = fits ? Route::Outcome::found : Route::Outcome::no_such_method;
    return route;
  }
  return route;
}

}  // namespace api
