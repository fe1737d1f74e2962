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
  std::string_view trace_id;
  std::string_view client;
  std::string_view method;
  std::string_view target;
  int status = 0;  ///< 0: no response was sent
  Outcome outcome = Outcome::ok;
  std::string_view reason;  ///< empty unless something failed or was refused
  std::string_view class_name;
  Duration queue{};
  Duration upstream{};
  Duration total{};
  std::uint64_t bytes_in = 0;   ///< of the request's body
  std::uint64_t bytes_out = 0;  ///< of the response's body
  int in_flight = 0;            ///< requests in flight when it was admitted or refused
  int limit = 0;                ///< the limit at that time
  int retries = 0;
};

/// `coloured` is text with Select Graphic Rendition codes (ECMA-48, 8.3.117).
enum class LineFormat : std::uint8_t { json, text, coloured };

/// Append one line without its line break. Times are UTC with milliseconds. Quoted texts are escaped, so that they
/// cannot break the line.
void append_event(std::string& line, LineFormat format, std::chrono::system_clock::time_point now, LogLevel level,
                  std::string_view message);
void append_access(std::string& line, LineFormat format, std::chrono::system_clock::time_point now,
                   const AccessEntry& entry);

}  // namespace spillway::telemetry
