#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "api/endpoints/endpoints.hpp"
#include "api/endpoints/metrics.hpp"

namespace api {

enum class Access : std::uint8_t {
  bearer,      ///< needs a valid token
  open,        ///< needs none
  monitoring,  ///< open, and served beyond `limits.connections` and `limits.in_flight` as well
};

struct Route {
  std::string_view path;  ///< ends in `/` if one more segment follows, the id
  Method method;          ///< `get` takes HEAD, too; every route takes OPTIONS
  endpoints::Handler handler;
  Endpoint endpoint;
  Access access = Access::bearer;
};

struct RouteMatch {
  const Route* route = nullptr;  ///< null: no route has this path
  bool method_allowed = false;
  std::string_view id;  ///< a view into the path
};

/// Pure. The first route with this path.
RouteMatch match_route(std::span<const Route> routes, Method method, std::string_view path);

/// As spans name it: `/items/{id}`.
std::string route_text(const Route& route);

/// For the field `Allow`.
std::string_view allowed_methods(const Route& route);

}  // namespace api
