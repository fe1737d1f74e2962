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

/// How a request ended: a field of the lines of both programs, and a label of the proxy's metrics. The API is upstream
/// for the proxy, and the database for the API.
enum class Outcome : std::uint8_t {
  ok,              ///< answered below 400
  client_error,    ///< 4xx; of the proxy also for a bad or too large body
  upstream_error,  ///< 5xx of what is upstream, no usable response, or a failure of the program itself
  shed,            ///< refused by the program; the reason tells why
  timeout,         ///< what is upstream was too slow; for the proxy also a client (408)
  aborted,         ///< the client left
};
inline constexpr std::size_t kOutcomes = 6;

constexpr std::string_view name(Outcome outcome) {
  constexpr std::array<std::string_view, kOutcomes> kNames{"ok",   "client_error", "upstream_error",
                                                           "shed", "timeout",      "aborted"};
  return kNames[static_cast<std::size_t>(outcome)];
}

/// What a reader of the log should look at.
constexpr LogLevel level_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::ok:
    case Outcome::client_error:
    case Outcome::aborted:
      break;
    case Outcome::shed:
    case Outcome::timeout:
      return LogLevel::warn;
    case Outcome::upstream_error:
      return LogLevel::error;
  }
  return LogLevel::info;
}

}  // namespace config
