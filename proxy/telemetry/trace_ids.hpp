#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string_view>

namespace spillway::telemetry {

/// Whether a client's X-Request-ID may be passed on and logged: 1 to 128 bytes of [A-Za-z0-9._:/+=-].
bool sane_request_id(std::string_view id);

/// Whether `value` is a traceparent of version 00 (W3C Trace Context, section 3.2).
bool valid_traceparent(std::string_view value);

/// 16 random bytes as 32 lower-case hex digits.
using RequestId = std::array<char, 32>;
using Traceparent = std::array<char, 55>;

/// Makes identifiers that do not repeat; not secret. One per worker, not thread-safe.
class IdGenerator {
 public:
  IdGenerator();

  RequestId request_id();
  /// Starts a trace named like the request, so that either identifier finds the other. Not sampled:
  /// the proxy exports no spans.
  Traceparent start_trace(const RequestId& id);
  /// Continues `parent` (valid) with a span of our own.
  Traceparent continue_trace(std::string_view parent);

 private:
  std::mt19937_64 random_;
};

inline std::string_view text(const RequestId& id) {
  return {id.data(), id.size()};
}
inline std::string_view text(const Traceparent& value) {
  return {value.data(), value.size()};
}
inline std::string_view trace_id(std::string_view traceparent) {
  return traceparent.substr(3, 32);
}

}  // namespace spillway::telemetry
