// What is left of a request once it has been answered: metrics, spans, log lines.
#include <algorithm>
#include <memory>
#include <utility>

#include "api/server/access_log.hpp"
#include "api/server/client_connection.hpp"
#include "api/server/log.hpp"
#include "api/server/routes.hpp"
#include "proxy/text/utf8.hpp"

namespace api {

namespace http = boost::beast::http;

/// Decides whether the spans of the request are recorded. Probes begin no traces.
void ClientConnection::begin_trace(Request& request, bool monitoring) {
  const double ratio = monitoring ? 0 : context_.shared.sample_ratio.load(std::memory_order_relaxed);
  trace_ = trace_of(traceparent_of(reader_.message(), sender_), ratio, context_.ids);
  if (!trace_.recorded) return;
  tries_.clear();
  request.caller.tries = &tries_;
}

void ClientConnection::account(std::string_view client, std::string_view path, bool sent_body) {
  const Finished finished{.message = reader_.message(),
                          .request_id = request_id_,
                          .client = client,
                          .peer = peer_,
                          .path = path,
                          .trace_id = trace_.recorded ? tracing::trace_id(tracing::view(trace_.id)) : "",
                          .sent_body = sent_body,
                          .total = Clock::now() - request_began_,
                          .in_flight = in_flight_,
                          .limit = context_.config.limits.in_flight};
  Metrics& metrics = context_.endpoints.services.metrics;
  metrics.answered(endpoint_, response_.unanswered ? 0 : response_.status, finished.total);
  if (trace_.recorded) leave_spans(client, path);
  if (response_.login != LoginOutcome::none) {
    metrics.logged_in(response_.login);
    log_line(LogLevel::info, login_members(response_, finished));
  }
  const AccessLog mode = context_.shared.access.load(std::memory_order_relaxed);
  const bool failed = response_.status >= 500 || response_.unanswered;
  if (mode == AccessLog::off || (mode == AccessLog::errors && !failed)) return;
  log_line(level_of(outcome_of(response_)), access_members(response_, finished));
}

/// Leaves the spans of a sampled request to the exporter.
void ClientConnection::leave_spans(std::string_view client, std::string_view path) {
  const Message& message = reader_.message();
  auto spans = std::make_unique<RequestSpans>();
  tracing::HttpServerSpan& request = spans->request;
  std::ranges::copy(tracing::trace_id(tracing::view(trace_.id)), request.head.trace.begin());
  std::ranges::copy(tracing::span_id(tracing::view(trace_.id)), request.head.id.begin());
  request.head.parent = trace_.caller_span;
  request.head.has_parent = trace_.continued;
  request.head.began = spans->calendar.at(request_began_);
  request.head.ended = spans->calendar.date;
  text::keep_front(request.method, message.method_string(), tracing::kSpanTextMax);
  text::keep_front(request.path, path, tracing::kSpanPathMax);
  text::keep_front(request.host, message[http::field::host], tracing::kSpanTextMax);
  text::keep_front(request.user_agent, message[http::field::user_agent], tracing::kSpanTextMax);
  request.client = client;
  if (route_) request.route = route_text(*route_);
  request.scheme = "http";
  request.protocol = message.version() == 10 ? "HTTP/1.0" : "HTTP/1.1";
  request.reason = response_.reason;
  request.status = response_.unanswered ? 0 : response_.status;
  spans->tries = tries_.take();
  for (std::size_t i = 0; i < 2 * spans->tries.size(); ++i) spans->ids.push_back(context_.ids.span_id());
  context_.shared.spans->push(std::move(spans));
}

}  // namespace api
