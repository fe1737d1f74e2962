// The last stage of an exchange.

#include <algorithm>
#include <iterator>
#include <memory>

#include <fmt/format.h>

#include "proxy/http1/glimpse.hpp"
#include "proxy/relay/exchange.hpp"
#include "proxy/relay/exchange_spans.hpp"
#include "proxy/relay/worker.hpp"
#include "proxy/text/utf8.hpp"

namespace spillway::relay {

/// The one place where a finished exchange is counted and logged.
void Exchange::account(int status, telemetry::Outcome outcome, std::string_view reason) {
  disarm();
  SlotHolder::leave();
  over_ = true;
  const Time now = Clock::now();
  telemetry::WorkerCounters& counters = worker_.counters();
  if (!received_) {
    if (status != 0) counters.bad_requests[telemetry::bad_request_index(status)].add();
  } else {
    telemetry::Counter& end = outcome == telemetry::Outcome::aborted ? counters.aborted
                              : response_started_                    ? counters.answered_by_api
                                                                     : counters.answered_by_proxy;
    end.add();
    counters.bytes_in.add(client_->body_received() + tunneled_in_);
    counters.bytes_out.add(bytes_out_);
    telemetry::ClassCounters& of_class = counters.classes[static_cast<std::size_t>(class_index_)];
    const auto cause = telemetry::failure_cause(outcome, reason);
    // A client that was too slow counts as 408 even if its response had begun: alerts tell by the code whose fault it
    // was.
    const int code = outcome == telemetry::Outcome::timeout && !cause ? 408 : status;
    of_class.requests[static_cast<std::size_t>(outcome)][telemetry::code_index(code)].add();
    if (!lasts_) {  // how long a stream lasts is no latency
      const std::string_view trace = tracing::view(traceparent_);
      const telemetry::Example example{tracing::trace_id(trace), tracing::sampled(trace), now};
      const double duration = telemetry::to_milliseconds(now - began_);
      of_class.duration.observe(duration, example);
      const bool served = outcome == telemetry::Outcome::ok || outcome == telemetry::Outcome::client_error;
      if (served && response_started_) of_class.served_duration.observe(duration, example);
      if (answered_ != Time{}) of_class.upstream_duration.observe(telemetry::to_milliseconds(answered_ - sent_));
    }
    if (cause) counters.failures[*cause].add();
    // In shadow; a request counts once, by the reason that would have come first.
    const bool shadow = settings_->config.admission.mode == admission::Mode::shadow;
    if (ticket_.shadow_refused) would_refuse_ = ticket_.reason;
    if (shadow && would_refuse_) of_class.shadow_rejections[static_cast<std::size_t>(*would_refuse_)].add();
  }
  if (!received_ && status == 0) return;  // nothing happened
  if (traced_) trace(status, outcome, reason, now);
  if (outcome == telemetry::Outcome::shed) {
    const std::string_view path = target_.substr(0, target_.find('?'));
    const Duration waited = arrived_ == Time{} ? Duration{} : now - arrived_;
    if (!worker_.count_refusal({refused_for_, class_index_, method_, path, ticket_.in_flight, ticket_.limit, waited},
                               now)) {
      return;
    }
  }
  if (worker_.shared().log.wants(outcome)) log(status, outcome, reason, now);
}

namespace {

/// What the log keeps of a text at most.
constexpr std::size_t kTextMax = 256;
constexpr std::size_t kErrorMax = 512;

}  // namespace

/// Copies what the log tells of the head, before its views end.
void Exchange::note_head() {
  text::keep_front(logged_.host, request_.authority, kTextMax);
  text::keep_front(logged_.user_agent, request_.field("user-agent"), kTextMax);
  const std::string_view id = request_.field("x-request-id");
  if (!id.empty() && id != request_id_) text::keep_front(logged_.client_request_id, id, text::kRequestIdMax);
}

/// Adds why a connection to the API failed, and which one.
void Exchange::note_error(std::string_view connection, net::error_code error) {
  if (!error || error_.size() > kErrorMax) return;
  auto out = fmt::format_to(std::back_inserter(error_), "{}{}: ", error_.empty() ? "" : "; ", connection);
  if (error == net::asio::error::eof) {
    fmt::format_to(out, "closed");
  } else {
    fmt::format_to(out, "{} ({})", error.message(), error.value());
  }
}

/// Leaves the spans of a sampled request to the exporter.
void Exchange::trace(int status, telemetry::Outcome outcome, std::string_view reason, Time now) {
  const tracing::Calendar calendar{.now = now};
  const std::string_view trace = tracing::view(traceparent_);
  auto spans = std::make_unique<ExchangeSpans>();
  tracing::HttpServerSpan& request = spans->request;
  std::ranges::copy(tracing::trace_id(trace), request.head.trace.begin());
  request.head.id = worker_.ids().span_id();
  request.head.parent = caller_span_;
  request.head.has_parent = continued_;
  request.head.began = calendar.at(began_);
  request.head.ended = calendar.date;
  request.method = method_;
  request.path = target_.substr(0, std::min(target_.find('?'), tracing::kSpanPathMax));
  request.scheme = !told_scheme_.empty() ? told_scheme_ : client_->secure() ? "https" : "http";
  request.host = logged_.host;
  request.client = client_address_;
  request.user_agent = logged_.user_agent;
  request.protocol = telemetry::name(protocol());
  request.reason = reason;
  request.status = status;
  spans->class_name = worker_.shared().class_names[static_cast<std::size_t>(class_index_)];
  spans->wait = worker_.ids().span_id();
  if (arrived_ != Time{}) {
    spans->wait_began = calendar.at(arrived_);
    spans->wait_ended = calendar.at(arrived_ + queue_wait_);
  }
  std::ranges::copy(tracing::span_id(trace), spans->upstream.begin());
  if (asked_ != Time{}) {
    spans->asked = calendar.at(asked_);
    spans->answered = answered_ == Time{} ? calendar.date : calendar.at(answered_);
  }
  spans->upstream_address = upstream_name_;
  spans->upstream_secure = settings_->config.upstream.tls.enabled;
  spans->upstream_status = upstream_status_;
  spans->retries = retries_;
  spans->api_failed = telemetry::failure_cause(outcome, reason).has_value();
  worker_.shared().spans->push(std::move(spans));
}

void Exchange::log(int status, telemetry::Outcome outcome, std::string_view reason, Time now) {
  telemetry::AccessEntry entry;
  entry.request_id = request_id_;
  entry.client = client_address_;
  if (client_address_ != client_->peer()) entry.peer = client_->peer();
  if (!client_->balancer().empty()) entry.peer = client_->balancer();
  if (received_) {
    entry.trace_id = tracing::trace_id(tracing::view(traceparent_));
    entry.method = method_;
    entry.target = target_;
    entry.class_name = worker_.shared().class_names[static_cast<std::size_t>(class_index_)];
    entry.protocol = telemetry::name(protocol());
  } else {
    const http::Glimpse seen = http::glimpse(client_->raw_head());
    text::keep_front(logged_.method, seen.method, kTextMax);
    text::keep_front(logged_.target, seen.target, seen.target.size());
    text::keep_front(logged_.host, seen.host, kTextMax);
    entry.method = logged_.method;
    entry.target = logged_.target;
  }
  entry.client_request_id = logged_.client_request_id;
  entry.host = logged_.host;
  entry.user_agent = logged_.user_agent;
  const bool shadow = settings_->config.admission.mode == admission::Mode::shadow;
  if (shadow && would_refuse_) entry.would_refuse = name(*would_refuse_);
  entry.error = error_;
  entry.rule = rule_;
  entry.stream = lasts_;
  entry.upstream_status = upstream_status_;
  entry.upstream_address = upstream_name_;
  entry.status = status;
  entry.outcome = outcome;
  entry.reason = reason;
  entry.queue = queue_wait_;
  if (answered_ != Time{}) entry.upstream = answered_ - sent_;
  entry.total = now - began_;
  entry.bytes_in = client_->body_received() + tunneled_in_;
  entry.bytes_out = bytes_out_;
  entry.in_flight = ticket_.in_flight;
  entry.limit = ticket_.limit;
  entry.retries = retries_;
  worker_.shared().log.access(entry);
}

}  // namespace spillway::relay
