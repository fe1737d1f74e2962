#pragma once

#include <string>
#include <string_view>

#include "proxy/tracing/span_writer.hpp"

namespace tracing {

/// The span of a request that was served, by the semantic conventions of OpenTelemetry for HTTP.
struct HttpServerSpan {
  SpanHead head;
  // Valid UTF-8.
  std::string method, path, scheme, host, client, user_agent;
  std::string route;          ///< such as `/items/{id}`; empty: not known
  std::string_view protocol;  ///< a literal such as `HTTP/1.1`
  std::string reason;         ///< of a failure or a refusal, one of a few; empty: the status says it all
  int status = 0;             ///< 0: no response was sent

  bool failed() const { return status == 0 || status >= 500; }
  /// The caller may add attributes, and then ends the span.
  void begin(SpanWriter& out) const;
  void end(SpanWriter& out) const { out.end(failed()); }
};

/// `http.request.method`. A method that HTTP does not define is `_OTHER`: anybody could send any number of them.
std::string_view known_method(std::string_view method);
void add_method(SpanWriter& out, std::string_view method);
/// For the name of a span.
std::string_view method_in_name(std::string_view method);

/// What a span keeps of a text: thousands of spans may wait for a collector.
inline constexpr std::size_t kSpanTextMax = 256;
inline constexpr std::size_t kSpanPathMax = 1024;

}  // namespace tracing
