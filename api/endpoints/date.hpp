#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace api {

/// A calendar day as days since 1970-01-01.
using Day = std::int32_t;

/// Exactly `YYYY-MM-DD`, years 1 to 9999.
std::optional<Day> parse_date(std::string_view text);
/// Years 0 to 9999.
std::string to_text(Day day);
/// In UTC.
Day today();

}  // namespace api
