#include "proxy/relay/failure.hpp"

#include <set>
#include <string_view>

#include <doctest/doctest.h>

namespace {

using namespace spillway::relay;
using spillway::admission::kReasons;
using spillway::admission::Reason;
using spillway::telemetry::Outcome;

constexpr int kKinds = static_cast<int>(Failure::Kind::stream_stopped) + 1;
constexpr std::string_view kLoad = "Service at capacity, please retry";

TEST_CASE("every failure has one answer, one log field and one metric label") {
  struct Row {
    Failure failure;
    int status;
    std::string_view title, reason, proxy_status;
    Outcome outcome;
  };
  using Kind = Failure::Kind;
  const Row rows[] = {
      {Failure::bad_request({400, "a rule"}), 400, "Bad Request", "bad_request", "http_request_error",
       Outcome::client_error},
      {Kind::client_gone, 0, "", "client_gone", "", Outcome::aborted},
      {Kind::client_timeout, 408, "Request Timeout", "client_timeout", "http_request_error", Outcome::timeout},
      {Kind::client_slow, 408, "Request Timeout", "client_slow", "http_request_error", Outcome::timeout},
      {Kind::loop, 502, "Bad Gateway", "loop", "proxy_loop_detected", Outcome::upstream_error},
      {Kind::connect_failed, 502, "Bad Gateway", "connect_failed", "connection_refused", Outcome::upstream_error},
      {Kind::tls_failed, 502, "Bad Gateway", "tls_failed", "tls_protocol_error", Outcome::upstream_error},
      {Kind::connect_timeout, 504, "Gateway Timeout", "connect_timeout", "connection_timeout", Outcome::timeout},
      {Kind::upstream_closed, 502, "Bad Gateway", "upstream_closed", "connection_terminated", Outcome::upstream_error},
      {Kind::response_timeout, 504, "Gateway Timeout", "response_timeout", "http_response_timeout", Outcome::timeout},
      {Failure::response_invalid({502, "a rule"}), 502, "Bad Gateway", "response_invalid", "http_protocol_error",
       Outcome::upstream_error},
      {Kind::response_cut, 502, "Bad Gateway", "response_cut", "http_response_incomplete", Outcome::upstream_error},
      {Kind::stream_stopped, 503, "Service Unavailable", "draining", "destination_unavailable", Outcome::ok},
  };
  // The first is no failure, the second has its own table, the third has no problem document.
  std::set<Kind> covered{Kind::none, Kind::refused, Kind::last_hop, Kind::preflight};
  for (const Row& row : rows) {
    CAPTURE(row.reason);
    CHECK(row.failure);
    const Answer answer = answer_to(row.failure);
    CHECK(answer.status == row.status);
    if (row.status != 0) CHECK(answer.title == row.title);
    CHECK(answer.reason == row.reason);
    CHECK(answer.proxy_status == row.proxy_status);
    CHECK(answer.outcome == row.outcome);
    CHECK_FALSE(answer.detail.empty());
    covered.insert(row.failure.kind);
  }
  CHECK(covered.size() == kKinds);
  CHECK_FALSE(Failure());
}

TEST_CASE("every refusal has its answer; 429 is for fairness only") {
  struct Row {
    Reason reason;
    std::string_view name;
    int status;
    std::string_view title, proxy_status, detail;
  };
  const Row rows[] = {
      {Reason::capacity, "capacity", 503, "Service Unavailable", "connection_limit_reached", kLoad},
      {Reason::queue_full, "queue_full", 503, "Service Unavailable", "connection_limit_reached", kLoad},
      {Reason::queue_timeout, "queue_timeout", 503, "Service Unavailable", "connection_limit_reached", kLoad},
      {Reason::pool, "pool", 503, "Service Unavailable", "connection_limit_reached", kLoad},
      {Reason::fairness, "fairness", 429, "Too Many Requests", "http_request_denied",
       "Too many requests of this client at once, please retry"},
      {Reason::cohort, "cohort", 503, "Service Unavailable", "connection_limit_reached", kLoad},
      {Reason::streams, "streams", 503, "Service Unavailable", "connection_limit_reached", kLoad},
      {Reason::deadline, "deadline", 503, "Service Unavailable", "http_request_denied",
       "The request cannot finish within its X-Request-Timeout"},
      {Reason::breaker, "breaker", 503, "Service Unavailable", "destination_unavailable",
       "The service behind this proxy is failing, please retry"},
      {Reason::maintenance, "maintenance", 503, "Service Unavailable", "destination_unavailable",
       "Down for maintenance, please retry"},
      {Reason::connections, "connections", 503, "Service Unavailable", "http_request_denied",
       "Too many connections, please retry"},
      {Reason::draining, "draining", 503, "Service Unavailable", "destination_unavailable",
       "This instance is shutting down, please retry"},
      {Reason::upstream_connections, "upstream_connections", 503, "Service Unavailable", "connection_limit_reached",
       kLoad},
  };
  std::set<Reason> covered;
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Failure failure = Failure::refused(row.reason);
    CHECK(failure.kind == Failure::Kind::refused);
    const Answer answer = answer_to(failure);
    CHECK(answer.status == row.status);
    CHECK(answer.title == row.title);
    spillway::RefusalsConfig refusals;
    CHECK(answer_to(failure, refusals).status == row.status);
    spillway::RefusalConfig& look = refusals.by_reason[static_cast<std::size_t>(row.reason)];
    look.format = spillway::RefusalConfig::Format::problem;
    look.status = 418;
    CHECK(answer_to(failure, refusals).status == 418);
    CHECK(answer_to(Failure::Kind::connect_failed, refusals).status == 502);
    CHECK(answer.reason == row.name);
    CHECK(answer.proxy_status == row.proxy_status);
    CHECK(answer.detail == row.detail);
    CHECK(answer.outcome == Outcome::shed);
    covered.insert(row.reason);
  }
  CHECK(covered.size() == kReasons);
}

TEST_CASE("a bad request is answered with the status and the rule it broke") {
  struct Row {
    int status;
    std::string_view title;
  };
  const Row rows[] = {
      {400, "Bad Request"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {417, "Expectation Failed"},
      {431, "Request Header Fields Too Large"},
      {501, "Not Implemented"},
      {505, "HTTP Version Not Supported"},
  };
  CHECK(std::size(rows) == spillway::telemetry::kBadRequestCodes.size());
  for (const Row& row : rows) {
    const Answer answer = answer_to(Failure::bad_request({row.status, "this rule"}));
    CAPTURE(row.status);
    CHECK(answer.status == row.status);
    CHECK(answer.title == row.title);
    CHECK(answer.detail == "this rule");
    CHECK(answer.outcome == Outcome::client_error);
  }
}

TEST_CASE("the client does not learn which rule the API broke") {
  CHECK(answer_to(Failure::response_invalid({502, "a secret of the API"})).detail ==
        "The service sent a malformed answer");
}

}  // namespace
