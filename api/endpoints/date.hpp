#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api/db/day.hpp"

namespace api {

/// Exactly `YYYY-MM-DD`, kFirstDay to kLastDay.
std::optional<Day> parse_date(std::string_view text);
/// `YYYY-MM-DD`. A day before kFirstDay or after kLastDay is written as the nearest of the two.
std::string to_text(Day day);
/// In UTC.
Day today();
/// Seconds since 1970-01-01, as in a token.
std::int64_t unix_now();

}  // namespace api
