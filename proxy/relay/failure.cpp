#include "proxy/relay/failure.hpp"

#include "proxy/text/status_phrase.hpp"

namespace spillway::relay {

using admission::Reason;
using telemetry::Outcome;

Failure Failure::refused(Reason reason) {
  Failure failure(Kind::refused);
  failure.reason = reason;
  return failure;
}

Failure Failure::bad_request(http::Violation violation) {
  Failure failure(Kind::bad_request);
  failure.violation = violation;
  return failure;
}

Failure Failure::response_invalid(http::Violation violation) {
  Failure failure(Kind::response_invalid);
  failure.violation = violation;
  return failure;
}

namespace {

Answer answer(int status, std::string_view detail, std::string_view reason, std::string_view proxy_status,
              Outcome outcome) {
  return {status, text::status_phrase(status), detail, reason, proxy_status, outcome};
}

Answer answer_to_refusal(Reason reason) {
  constexpr std::string_view kLoad = "Service at capacity, please retry";
  const std::string_view name = admission::name(reason);
  const auto refusal = [&](int status, std::string_view detail, std::string_view proxy_status) {
    return answer(status, detail, name, proxy_status, Outcome::shed);
  };
  switch (reason) {
    case Reason::fairness:
      return refusal(429, "Too many requests of this client at once, please retry", "http_request_denied");
    case Reason::deadline:
      return refusal(503, "The request cannot finish within its X-Request-Timeout", "http_request_denied");
    case Reason::breaker:
      return refusal(503, "The service behind this proxy is failing, please retry", "destination_unavailable");
    case Reason::maintenance:
      return refusal(503, "Down for maintenance, please retry", "destination_unavailable");
    case Reason::draining:
      return refusal(503, "This instance is shutting down, please retry", "destination_unavailable");
    case Reason::connections:
      return refusal(503, "Too many connections, please retry", "http_request_denied");
    case Reason::capacity:
    case Reason::queue_full:
    case Reason::queue_timeout:
    case Reason::pool:
    case Reason::cohort:
    case Reason::streams:
    case Reason::upstream_connections:
      break;
  }
  return refusal(503, kLoad, "connection_limit_reached");
}

}  // namespace

Answer answer_to(const Failure& failure) {
  switch (failure.kind) {
    case Failure::Kind::none:
      break;
    case Failure::Kind::refused:
      return answer_to_refusal(failure.reason);
    case Failure::Kind::bad_request:
      return answer(failure.violation.status, failure.violation.rule, "bad_request", "http_request_error",
                    Outcome::client_error);
    case Failure::Kind::last_hop:
      return answer(204, "", "max_forwards", "", Outcome::ok);
    case Failure::Kind::loop:
      return answer(502, "The request has come back to this proxy", "loop", "proxy_loop_detected",
                    Outcome::upstream_error);
    case Failure::Kind::preflight:
      return answer(204, "", "preflight", "", Outcome::ok);
    case Failure::Kind::client_gone:
      return answer(0, "The client closed the connection", "client_gone", "", Outcome::aborted);
    case Failure::Kind::client_timeout:
      return answer(408, "The request was not received in time", "client_timeout", "http_request_error",
                    Outcome::timeout);
    case Failure::Kind::client_slow:
      return answer(408, "The client was too slow to hold a place", "client_slow", "http_request_error",
                    Outcome::timeout);
    case Failure::Kind::connect_failed:
      return answer(502, "The service cannot be reached", "connect_failed", "connection_refused",
                    Outcome::upstream_error);
    case Failure::Kind::tls_failed:
      return answer(502, "The service cannot be reached securely", "tls_failed", "tls_protocol_error",
                    Outcome::upstream_error);
    case Failure::Kind::connect_timeout:
      return answer(504, "The service did not accept a connection in time", "connect_timeout", "connection_timeout",
                    Outcome::timeout);
    case Failure::Kind::upstream_closed:
      return answer(502, "The service closed the connection without an answer", "upstream_closed",
                    "connection_terminated", Outcome::upstream_error);
    case Failure::Kind::response_timeout:
      return answer(504, "The service did not answer in time", "response_timeout", "http_response_timeout",
                    Outcome::timeout);
    case Failure::Kind::response_invalid:
      return answer(502, "The service sent a malformed answer", "response_invalid", "http_protocol_error",
                    Outcome::upstream_error);
    case Failure::Kind::response_cut:
      return answer(502, "The service sent an incomplete answer", "response_cut", "http_response_incomplete",
                    Outcome::upstream_error);
    case Failure::Kind::stream_stopped:
      return answer(503, "This instance is shutting down, please retry", "draining", "destination_unavailable",
                    Outcome::ok);
  }
  return answer(500, "Unknown failure", "internal", "proxy_internal_error", Outcome::upstream_error);
}

Answer answer_to(const Failure& failure, const RefusalsConfig& refusals) {
  Answer answer = answer_to(failure);
  if (failure.kind != Failure::Kind::refused) return answer;
  if (const std::optional<int> status = refusals.of(failure.reason).status) {
    answer.status = *status;
    answer.title = text::status_phrase(*status);
  }
  return answer;
}

}  // namespace spillway::relay
