#pragma once

#include <string>

#include "proxy/tracing/http_server_span.hpp"

namespace spillway::relay {

/// The spans of an exchange, up to three: the request, its wait for a slot, and its time at the API. Attributes are
/// those of OpenTelemetry for HTTP, and `spillway.class`, `spillway.reason`, `spillway.queue_ms`.
struct ExchangeSpans final : tracing::Record {
  tracing::HttpServerSpan request;
  std::string class_name;

  tracing::SpanId wait{};
  tracing::Instant wait_began{}, wait_ended{};  ///< equal: it did not wait

  tracing::SpanId upstream{};            ///< the parent of the API's own span
  tracing::Instant asked{}, answered{};  ///< the API; `asked` is the epoch if it was not
  std::string upstream_address;          ///< of the connection to the API that was used last
  bool upstream_secure = false;          ///< over TLS
  int upstream_status = 0;               ///< 0: none came
  int retries = 0;
  bool api_failed = false;

  bool waited() const { return wait_ended > wait_began; }
  bool was_sent() const { return asked != tracing::Instant{}; }
  int spans() const override { return 1 + (waited() ? 1 : 0) + (was_sent() ? 1 : 0); }
  void write(tracing::SpanWriter& out) const override;

 private:
  /// Of a child of the request's span.
  tracing::SpanHead child(const tracing::SpanId& id, tracing::Instant began, tracing::Instant ended) const;
  void write_upstream(tracing::SpanWriter& out) const;
};

}  // namespace spillway::relay
