#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace spillway::http2 {

/// What a client may do too often on an HTTP/2 connection, or not at all: a metric label, and the text of a log line.
enum class Abuse : std::uint8_t {
  reset,           ///< RST_STREAM frames
  provoked,        ///< streams that the proxy had to reset, because the client broke a rule
  header_list,     ///< a compressed head that is too long
  continuation,    ///< CONTINUATION frames of one head
  settings,        ///< SETTINGS frames
  ping,            ///< PING frames
  priority,        ///< PRIORITY and PRIORITY_UPDATE frames
  window_update,   ///< WINDOW_UPDATE frames, beyond those that the data sent explains
  empty,           ///< DATA frames without payload, or of padding alone
  unknown,         ///< frames of unknown types, and GOAWAY
  stray,           ///< frames of streams that the proxy has reset
  unread,          ///< acknowledgements and resets that the client does not read
  shut_window,     ///< answers given up because the client did not open their window
  protocol_error,  ///< an error of the connection: the first one ends it
};
inline constexpr std::array<std::string_view, 14> kAbuseNames{
    "reset",         "provoked", "header_list", "continuation", "settings", "ping",        "priority",
    "window_update", "empty",    "unknown",     "stray",        "unread",   "shut_window", "protocol_error"};
inline constexpr std::size_t kAbuseKinds = kAbuseNames.size();
constexpr std::string_view name(Abuse abuse) {
  return kAbuseNames[static_cast<std::size_t>(abuse)];
}

}  // namespace spillway::http2
