#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/config/config.hpp"
#include "proxy/net/clock.hpp"
#include "proxy/telemetry/labels.hpp"

namespace spillway::telemetry {

/// One finished request, for the access log. Its views are only read during the call.
struct AccessEntry {
  std::string_view request_id;
  std::string_view client_request_id = {};  ///< what the client called it, where that is not believed
  std::string_view trace_id;
  std::string_view client;
  std::string_view peer = {};  ///< the other end of the connection, where that is not the client
  std::string_view method;
  std::string_view target;
  std::string_view protocol = {};
  std::string_view host = {};
  std::string_view user_agent = {};
  int status = 0;  ///< 0: no response was sent
  Outcome outcome = Outcome::ok;
  std::string_view reason;             ///< empty unless something failed or was refused
  std::string_view would_refuse = {};  ///< in shadow: why it would have been refused
  std::string_view error = {};         ///< of a connection to the API
  std::string_view rule = {};          ///< that the client's or the API's message broke
  bool stream = false;                 ///< the answer was a tunnel or an event stream
  std::string_view class_name;
  Duration queue{};
  Duration upstream{};
  Duration total{};
  int upstream_status = 0;                 ///< of the API's answer; 0: none came
  std::string_view upstream_address = {};  ///< of the connection to the API that was used last
  std::uint64_t bytes_in = 0;              ///< of the request's body
  std::uint64_t bytes_out = 0;             ///< of the response's body
  int in_flight = 0;                       ///< requests in flight when it was admitted or refused
  int limit = 0;                           ///< the limit at that time
  int retries = 0;
};

/// `coloured` is text with Select Graphic Rendition codes (ECMA-48, 8.3.117).
enum class LineFormat : std::uint8_t { json, text, coloured };

/// Append one line without its line break. Times are UTC with milliseconds. Texts are escaped, so that they cannot
/// break the line. `fields`: what a line in JSON has.
void append_event(std::string& line, LineFormat format, std::chrono::system_clock::time_point now, LogLevel level,
                  std::string_view message);
void append_access(std::string& line, LineFormat format, std::chrono::system_clock::time_point now,
                   const AccessEntry& entry, LogFieldSet fields = kAllLogFields);

}  // namespace spillway::telemetry
