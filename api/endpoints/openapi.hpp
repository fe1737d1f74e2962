#pragma once

#include <string_view>

namespace api {

/// The OpenAPI document, from openapi.json, embedded when the program is built.
extern const std::string_view kOpenApi;

}  // namespace api
