#pragma once

#include <cstdint>
#include <string_view>

#include "api/endpoints/http.hpp"

namespace api {

enum class Endpoint : std::uint8_t { login, scholarships, scholarship, search, eligibility, openapi, health, ready };

struct Route {
  enum class Outcome : std::uint8_t { found, no_such_path, no_such_method };
  Outcome outcome = Outcome::no_such_path;
  Endpoint endpoint{};
  std::string_view id;     ///< the variable segment of the path
  std::string_view allow;  ///< methods that the path has
  bool open = false;       ///< needs no token
};

/// HEAD is taken wherever GET is.
Route find_route(Method method, std::string_view path);

}  // namespace api
