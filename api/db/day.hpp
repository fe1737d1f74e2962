#pragma once

#include <cstdint>

namespace api {

/// A calendar day as days since 1970-01-01.
using Day = std::int32_t;

inline constexpr Day kFirstDay = -719'162;  ///< 0001-01-01
inline constexpr Day kLastDay = 2'932'896;  ///< 9999-12-31

}  // namespace api
