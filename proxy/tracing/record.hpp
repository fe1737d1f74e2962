#pragma once

#include <array>
#include <chrono>
#include <string>

namespace spillway::tracing {

using Instant = std::chrono::system_clock::time_point;
using SpanId = std::array<char, 16>;   ///< lower-case hexadecimal digits
using TraceId = std::array<char, 32>;  ///< lower-case hexadecimal digits

/// A sampled request, copied: what its spans tell. It becomes up to three of them: the request, its wait for a slot,
/// and its time at the API.
struct Record {
  TraceId trace{};
  SpanId request{};   ///< of the span of the request
  SpanId upstream{};  ///< of the span at the API: the parent of the API's own
  SpanId wait{};      ///< of the span of the wait
  SpanId parent{};    ///< of the caller's span
  bool has_parent = false;

  Instant began{}, ended{};
  Instant wait_began{}, wait_ended{};  ///< equal: it did not wait
  Instant asked{}, answered{};         ///< the API; `asked` is the epoch if it was not

  // Valid UTF-8.
  std::string method, path, scheme, host, client, user_agent, protocol, class_name, reason;
  std::string upstream_address;  ///< of the connection to the API that was used last
  bool upstream_secure = false;  ///< over TLS
  int status = 0;                ///< 0: no response was sent
  int upstream_status = 0;       ///< 0: none came
  int retries = 0;
  bool api_failed = false;

  bool waited() const { return wait_ended > wait_began; }
  bool was_sent() const { return asked != Instant{}; }
  int spans() const { return 1 + (waited() ? 1 : 0) + (was_sent() ? 1 : 0); }
};

}  // namespace spillway::tracing
