#pragma once

#include <span>

#include "api/server/route.hpp"

namespace api {

/// Every path of the API.
std::span<const Route> routes();
/// The paths of the admin listener.
std::span<const Route> admin_routes();

/// Checks the method and the token, then calls the endpoint that `match` has found. The references must stay valid
/// until the end.
net::Task<> dispatch(RouteMatch match, endpoints::Context& context, Request& request, Response& response);

}  // namespace api
