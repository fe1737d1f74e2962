#include "proxy/relay/exchange_spans.hpp"

#include <chrono>

namespace spillway::relay {

tracing::SpanHead ExchangeSpans::child(const tracing::SpanId& id, tracing::Instant began,
                                       tracing::Instant ended) const {
  return {.trace = request.head.trace,
          .id = id,
          .parent = request.head.id,
          .has_parent = true,
          .began = began,
          .ended = ended};
}

void ExchangeSpans::write(tracing::SpanWriter& out) const {
  request.begin(out);
  out.add("spillway.class", class_name);
  out.add("spillway.reason", request.reason);
  const std::chrono::duration<double, std::milli> queued = wait_ended - wait_began;
  out.add_milliseconds("spillway.queue_ms", queued.count());
  request.end(out);
  if (waited()) {
    out.begin("queue", tracing::Kind::internal, child(wait, wait_began, wait_ended));
    out.add("spillway.class", class_name);
    out.end(false);
  }
  if (was_sent()) write_upstream(out);
}

void ExchangeSpans::write_upstream(tracing::SpanWriter& out) const {
  const bool failed = api_failed || upstream_status == 0 || upstream_status >= 400;
  out.begin(tracing::method_in_name(request.method), tracing::Kind::client, child(upstream, asked, answered));
  tracing::add_method(out, request.method);
  out.add_server(upstream_address);
  out.add("url.full", (upstream_secure ? "https://" : "http://") + request.host + request.path);
  out.add("http.response.status_code", upstream_status);
  out.add("http.request.resend_count", retries);
  if (failed) out.add("error.type", request.reason.empty() ? std::to_string(upstream_status) : request.reason);
  out.end(failed);
}

}  // namespace spillway::relay
