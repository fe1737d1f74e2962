#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "config/log.hpp"

namespace spillway::telemetry {

using config::kOutcomes;
using config::Outcome;

/// How a TLS handshake of a client ended: labels of a metric.
enum class Handshake : std::uint8_t {
  ok_1_2,  ///< a whole one
  ok_1_3,
  resumed_1_2,  ///< a short one, from a ticket
  resumed_1_3,
  failed,      ///< no common protocol, a certificate refused, no TLS at all
  timeout,     ///< not done within timeouts.handshake
  evicted,     ///< its client was silent, and another one needed the place
  gone,        ///< its client left
  plain_http,  ///< its client does not speak TLS
};
struct HandshakeLabels {
  std::string_view result, version;
};
inline constexpr std::array<HandshakeLabels, 9> kHandshakeLabels{{{"ok", "1.2"},
                                                                  {"ok", "1.3"},
                                                                  {"resumed", "1.2"},
                                                                  {"resumed", "1.3"},
                                                                  {"failed", "none"},
                                                                  {"timeout", "none"},
                                                                  {"evicted", "none"},
                                                                  {"gone", "none"},
                                                                  {"plain_http", "none"}}};
constexpr bool succeeded(Handshake handshake) {
  return handshake <= Handshake::resumed_1_3;
}

/// Status classes; `none`: no status was sent.
inline constexpr std::size_t kCodes = 6;
inline constexpr std::array<std::string_view, kCodes> kCodeNames{"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
constexpr std::size_t code_index(int status) {
  return status >= 100 && status < 600 ? std::size_t(status) / 100 : 0;
}

/// Statuses with which the proxy answers what it cannot accept as a request.
inline constexpr std::array kBadRequestCodes{400, 405, 408, 413, 414, 417, 431, 501, 505};
std::size_t bad_request_index(int status);

/// Why the API did not serve a request that was for it to serve: `status` is an answer of 5xx, the others are what the
/// log calls `reason`.
inline constexpr std::array<std::string_view, 10> kFailureCauses{
    "status",           "connect_failed",   "tls_failed",   "connect_timeout", "upstream_closed",
    "response_timeout", "response_invalid", "response_cut", "internal",        "loop"};
/// The cause of a request that ended so. Nothing if that was no failure of the API.
std::optional<std::size_t> failure_cause(Outcome outcome, std::string_view reason);

/// Versions of HTTP that clients speak, in metrics and in the log.
enum class Protocol : std::uint8_t { http_1_0, http_1_1, http_2 };
inline constexpr std::size_t kProtocols = 3;
std::string_view name(Protocol protocol);

}  // namespace spillway::telemetry
