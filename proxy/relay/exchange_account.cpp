// The last stage of an exchange.

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "proxy/http1/glimpse.hpp"
#include "proxy/relay/exchange.hpp"
#include "proxy/relay/worker.hpp"
#include "proxy/text/utf8.hpp"

namespace spillway::relay {

/// The one place where a finished exchange is counted and logged.
void Exchange::account(int status, telemetry::Outcome outcome, std::string_view reason) {
  disarm();
  SlotHolder::leave();
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
      const std::string_view trace = telemetry::view(traceparent_);
      const telemetry::Example example{telemetry::trace_id(trace), telemetry::sampled(trace), now};
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
/// What a span keeps of a path: thousands of spans may wait for a collector.
constexpr std::size_t kSpanPathMax = 1024;

void keep(std::string& kept, std::string_view text, std::size_t most = kTextMax) {
  kept = text.substr(0, most);
  if (!text::is_ascii(kept)) kept = text::to_valid_utf8(kept);
}

}  // namespace

/// Copies what the log tells of the head, before its views end.
void Exchange::note_head() {
  keep(logged_.host, request_.authority);
  keep(logged_.user_agent, request_.field("user-agent"));
  const std::string_view id = request_.field("x-request-id");
  if (!id.empty() && id != request_id_) keep(logged_.client_request_id, id, text::kRequestIdMax);
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
  using tracing::Instant;
  const Instant date = Instant::clock::now();
  const auto at = [&](Time t) { return date - std::chrono::duration_cast<Instant::duration>(now - t); };
  tracing::Record record;
  std::ranges::copy(telemetry::trace_id(telemetry::view(traceparent_)), record.trace.begin());
  std::ranges::copy(telemetry::span_id(telemetry::view(traceparent_)), record.upstream.begin());
  record.request = worker_.ids().span_id();
  record.wait = worker_.ids().span_id();
  record.parent = caller_span_;
  record.has_parent = continued_;
  record.began = at(began_);
  record.ended = date;
  if (arrived_ != Time{}) {
    record.wait_began = at(arrived_);
    record.wait_ended = at(arrived_ + queue_wait_);
  }
  if (asked_ != Time{}) {
    record.asked = at(asked_);
    record.answered = answered_ == Time{} ? date : at(answered_);
  }
  record.method = method_;
  record.path = target_.substr(0, std::min(target_.find('?'), kSpanPathMax));
  record.scheme = !told_scheme_.empty() ? told_scheme_ : client_->secure() ? "https" : "http";
  record.host = logged_.host;
  record.client = client_address_;
  record.user_agent = logged_.user_agent;
  record.protocol = telemetry::name(protocol());
  record.class_name = worker_.shared().class_names[static_cast<std::size_t>(class_index_)];
  record.reason = reason;
  record.upstream_address = upstream_name_;
  record.upstream_secure = settings_->config.upstream.tls.enabled;
  record.status = status;
  record.upstream_status = upstream_status_;
  record.retries = retries_;
  record.api_failed = telemetry::failure_cause(outcome, reason).has_value();
  worker_.shared().spans->push(std::move(record));
}

void Exchange::log(int status, telemetry::Outcome outcome, std::string_view reason, Time now) {
  telemetry::AccessEntry entry;
  entry.request_id = request_id_;
  entry.client = client_address_;
  if (client_address_ != client_->peer()) entry.peer = client_->peer();
  if (!client_->balancer().empty()) entry.peer = client_->balancer();
  if (received_) {
    entry.trace_id = telemetry::trace_id(telemetry::view(traceparent_));
    entry.method = method_;
    entry.target = target_;
    entry.class_name = worker_.shared().class_names[static_cast<std::size_t>(class_index_)];
    entry.protocol = telemetry::name(protocol());
  } else {
    const http::Glimpse seen = http::glimpse(client_->raw_head());
    keep(logged_.method, seen.method);
    keep(logged_.target, seen.target, seen.target.size());
    keep(logged_.host, seen.host);
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
