#pragma once

#include <span>

#include "api/server/route.hpp"

namespace api {

/// Every path of the API.
std::span<const Route> routes();

/// Answers a request whose path has been looked up: checks method and token, then calls the endpoint. The caller keeps
/// what the references lead to until the end.
net::Task<> dispatch(RouteMatch match, endpoints::Context& context, Request& request, Response& response);

}  // namespace api
