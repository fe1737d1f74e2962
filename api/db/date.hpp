#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace api {

/// A calendar day as days since 1970-01-01.
using Day = std::int32_t;

inline constexpr Day kFirstDay = -719'162;  ///< 0001-01-01
inline constexpr Day kLastDay = 2'932'896;  ///< 9999-12-31

/// Exactly `YYYY-MM-DD`, kFirstDay to kLastDay.
std::optional<Day> parse_date(std::string_view text);
/// kFirstDay to kLastDay; what lies beyond is shown as the nearest of them.
std::string to_text(Day day);
/// In UTC.
Day today();

}  // namespace api
