#include "api/server/route.hpp"

namespace api {

namespace {

bool matches(const Route& route, std::string_view path, std::string_view& id) {
  if (!route.path.ends_with('/')) return path == route.path;
  if (!path.starts_with(route.path)) return false;
  id = path.substr(route.path.size());
  return !id.empty() && id.find('/') == std::string_view::npos;
}

}  // namespace

RouteMatch match_route(std::span<const Route> routes, Method method, std::string_view path) {
  for (const Route& route : routes) {
    std::string_view id;
    if (!matches(route, path, id)) continue;
    const bool allowed =
        method == route.method || method == Method::options || (route.method == Method::get && method == Method::head);
    return {&route, allowed, id};
  }
  return {};
}

std::string route_text(const Route& route) {
  return std::string(route.path) + (route.path.ends_with('/') ? "{id}" : "");
}

std::string_view allowed_methods(const Route& route) {
  return route.method == Method::get ? "GET, HEAD, OPTIONS" : "POST, OPTIONS";
}

}  // namespace api
