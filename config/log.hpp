#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace config {

/// `log.level`: the least severe events that are written.
enum class LogLevel : std::uint8_t { debug, info, warn, error };

/// As in the configuration and in the lines of the log.
constexpr std::string_view name(LogLevel level) {
  constexpr std::array<std::string_view, 4> kNames{"debug", "info", "warn", "error"};
  return kNames[static_cast<std::size_t>(level)];
}

/// `log.access`: the requests that get a line.
enum class AccessLog : std::uint8_t { all, errors, off };

}  // namespace config
