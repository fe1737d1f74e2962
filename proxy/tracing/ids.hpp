#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string_view>

#include "proxy/text/request_id.hpp"

namespace tracing {

/// Whether `value` is a traceparent of version 00, or begins like one as later versions do (W3C Trace Context, sections
/// 3.2 and 4.3).
bool valid_traceparent(std::string_view value);

using Traceparent = std::array<char, 55>;
using SpanId = std::array<char, 16>;   ///< lower-case hexadecimal digits
using TraceId = std::array<char, 32>;  ///< lower-case hexadecimal digits

/// Makes unique identifiers; they are not secret. One for each thread that needs any; not thread-safe.
class IdGenerator {
 public:
  IdGenerator();

  text::RequestId request_id();
  /// Whether to sample one of the traces of which the share `ratio` is sampled.
  bool draw(double ratio);
  /// Never all zero.
  SpanId span_id();
  /// Starts a trace whose id is made from the request id, so that one can be found by the other.
  Traceparent start_trace(const text::RequestId& id, bool sampled);
  /// Continues a trace: `parent`, which must be valid, with a new span id, and of its flags `sampled` alone.
  Traceparent continue_trace(std::string_view parent);

 private:
  std::mt19937_64 random_;
};

using text::view;
inline std::string_view view(const Traceparent& value) {
  return {value.data(), value.size()};
}
inline std::string_view view(const SpanId& id) {
  return {id.data(), id.size()};
}
/// Whether the spans of a valid traceparent are recorded by who called.
inline bool sampled(std::string_view traceparent) {
  const char low = traceparent[54];  // the second hexadecimal digit of the flags
  return ((low <= '9' ? low - '0' : low - 'a' + 10) & 1) != 0;
}
inline std::string_view trace_id(std::string_view traceparent) {
  return traceparent.substr(3, 32);
}
/// Of the caller's span.
inline std::string_view span_id(std::string_view traceparent) {
  return traceparent.substr(36, 16);
}

}  // namespace tracing
