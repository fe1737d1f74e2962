#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "api/db/day.hpp"

namespace api {

/// Which scholarships a page lists.
struct ListFilter {
  std::int64_t after = 0;  ///< only ids above it
  std::optional<std::string> major;
  int min_amount = 0;
  std::optional<Day> deadline_after;
  int limit = 20;
};

}  // namespace api
