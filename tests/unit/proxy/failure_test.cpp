#include "proxy/relay/failure.hpp"

#include <map>
#include <set>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

namespace {

using namespace spillway::relay;
using spillway::admission::kReasons;
using spillway::admission::Reason;
using spillway::telemetry::Outcome;

constexpr int kKinds = static_cast<int>(Failure::Kind::response_cut) + 1;
constexpr std::string_view kLoad = "Service at capacity, please retry";

TEST_CASE("every failure becomes one answer, one log field and one metric label") {
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
      {Kind::connect_failed, 502, "Bad Gateway", "connect_failed", "connection_refused", Outcome::upstream_error},
      {Kind::connect_timeout, 504, "Gateway Timeout", "connect_timeout", "connection_timeout", Outcome::timeout},
      {Kind::upstream_closed, 502, "Bad Gateway", "upstream_closed", "connection_terminated", Outcome::upstream_error},
      {Kind::response_timeout, 504, "Gateway Timeout", "response_timeout", "http_response_timeout", Outcome::timeout},
      {Failure::response_invalid({502, "a rule"}), 502, "Bad Gateway", "response_invalid", "http_protocol_error",
       Outcome::upstream_error},
      {Kind::response_cut, 502, "Bad Gateway", "response_cut", "http_response_incomplete", Outcome::upstream_error},
  };
  // The first is no failure, the second has a table of its own, the third no problem to tell.
  std::set<Kind> covered{Kind::none, Kind::refused, Kind::last_hop};
  for (const Row& row : rows) {
    CAPTURE(row.reason);
    CHECK(row.failure);
    const Answer answer = describe(row.failure);
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
    const Answer answer = describe(failure);
    CHECK(answer.status == row.status);
    CHECK(answer.title == row.title);
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
    const Answer answer = describe(Failure::bad_request({row.status, "this rule"}));
    CAPTURE(row.status);
    CHECK(answer.status == row.status);
    CHECK(answer.title == row.title);
    CHECK(answer.detail == "this rule");
    CHECK(answer.outcome == Outcome::client_error);
  }
}

TEST_CASE("what the API did wrong in particular is not told to the client") {
  CHECK(describe(Failure::response_invalid({502, "a secret of the API"})).detail ==
        "The service sent a malformed answer");
}

/// A response, taken apart as a client would.
struct Response {
  explicit Response(const std::string& bytes) {
    const std::size_t end = bytes.find("\r\n\r\n");
    REQUIRE(end != std::string::npos);
    body = bytes.substr(end + 4);
    std::size_t at = bytes.find("\r\n");
    status_line = bytes.substr(0, at);
    while (at < end) {
      const std::size_t begin = at + 2;
      at = bytes.find("\r\n", begin);
      const std::string line = bytes.substr(begin, at - begin);
      const std::size_t colon = line.find(": ");
      REQUIRE(colon != std::string::npos);
      const bool once = fields.emplace(line.substr(0, colon), line.substr(colon + 2)).second;
      CHECK(once);
    }
  }
  std::string status_line, body;
  std::map<std::string, std::string> fields;
};

Response written(const Failure& failure, const ProblemContext& context) {
  std::string out;
  write_problem(describe(failure), context, out);
  return Response(out);
}

ProblemContext context() {
  ProblemContext context;
  context.request_id = "id-1";
  context.date = "Sun, 06 Nov 1994 08:49:37 GMT";
  return context;
}

TEST_CASE("a refusal for load is the contract's, byte for byte") {
  ProblemContext c = context();
  c.retry_after = 5;
  std::string out = "(what was there before) ";
  write_problem(describe(Failure::refused(Reason::queue_timeout)), c, out);
  CHECK(out ==
        "(what was there before) "
        "HTTP/1.1 503 Service Unavailable\r\n"
        "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        "Content-Type: application/problem+json\r\n"
        "Cache-Control: no-store\r\n"
        "Proxy-Status: spillway; error=connection_limit_reached\r\n"
        "Retry-After: 5\r\n"
        "X-Request-ID: id-1\r\n"
        "Content-Length: 156\r\n"
        "\r\n"
        "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
        "\"detail\":\"Service at capacity, please retry\",\"reason\":\"queue_timeout\",\"request_id\":\"id-1\"}\n");
}

TEST_CASE("Content-Length counts the body exactly, whatever its number of digits") {
  const std::size_t others = written(Failure::refused(Reason::fairness), context()).body.size() -
                             describe(Failure::refused(Reason::fairness)).detail.size();
  for (const std::size_t body : {130, 500, 999, 1000, 1001, 5000, 9'999, 10'000, 10'001, 20'000}) {
    CAPTURE(body);
    const std::string detail(body - others, 'x');
    ProblemContext c = context();
    c.detail = detail;
    const Response response = written(Failure::refused(Reason::fairness), c);
    CHECK(response.body.size() == body);
    CHECK(response.fields.at("Content-Length") == std::to_string(body));
    CHECK(response.body.find("\"detail\":\"" + detail + "\"") != std::string::npos);

    c.head_method = true;
    const Response head = written(Failure::refused(Reason::fairness), c);
    CHECK(head.body.empty());
    CHECK(head.status_line == response.status_line);
    CHECK(head.fields == response.fields);  // as the answer to a GET, its length included
  }
  Answer shortest;
  ProblemContext nothing;
  std::string out;
  write_problem(shortest, nothing, out);
  const Response response(out);
  CHECK(response.body.size() < 100);  // two digits
  CHECK(response.fields.at("Content-Length") == std::to_string(response.body.size()));
}

TEST_CASE("optional fields are there when they are due, and only then") {
  SUBCASE("none of them") {
    const Response response = written(Failure::Kind::connect_failed, context());
    CHECK_FALSE(response.fields.contains("Retry-After"));
    CHECK_FALSE(response.fields.contains("Connection"));
    CHECK_FALSE(response.fields.contains("Allow"));
    CHECK(response.fields.at("Proxy-Status") == "spillway; error=connection_refused");
    CHECK(response.fields.at("X-Request-ID") == "id-1");
    CHECK(response.fields.at("Cache-Control") == "no-store");
    CHECK(response.fields.at("Content-Type") == "application/problem+json");
    CHECK(response.fields.at("Date") == "Sun, 06 Nov 1994 08:49:37 GMT");
  }
  SUBCASE("Retry-After") {
    for (const int seconds : {0, 1, 60, 86'400}) {
      ProblemContext c = context();
      c.retry_after = seconds;
      CHECK(written(Failure::refused(Reason::fairness), c).fields.at("Retry-After") == std::to_string(seconds));
    }
  }
  SUBCASE("Connection: close") {
    ProblemContext c = context();
    c.keep_alive = false;
    CHECK(written(Failure::Kind::client_timeout, c).fields.at("Connection") == "close");
  }
  SUBCASE("405 says what is allowed") {
    const Response response = written(Failure::bad_request({405, "CONNECT is not served"}), context());
    CHECK(response.status_line == "HTTP/1.1 405 Method Not Allowed");
    const std::string& allowed = response.fields.at("Allow");
    for (const std::string_view method : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
      CHECK(allowed.find(method) != std::string::npos);
    }
    for (const std::string_view method : {"CONNECT", "TRACE"}) CHECK(allowed.find(method) == std::string::npos);
  }
}

TEST_CASE("no text breaks out of the JSON it stands in") {
  struct Row {
    std::string text, escaped;
  };
  const Row rows[] = {
      {"plain", "plain"},
      {"say \"no\"", R"(say \"no\")"},
      {R"(back\slash)", R"(back\\slash)"},
      {"\",\"status\":200,\"x\":\"", R"(\",\"status\":200,\"x\":\")"},
      {"line\nand\ttab\r", R"(line\u000aand\u0009tab\u000d)"},
      {std::string("\0\x1f", 2), R"(\u0000\u001f)"},
      {"\x7f", "\x7f"},
      {"Wartung läuft", "Wartung läuft"},
      {"</script>", "</script>"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    ProblemContext c = context();
    c.detail = row.text;
    const Response response = written(Failure::refused(Reason::maintenance), c);
    CHECK(response.body.find("\"detail\":\"" + row.escaped + "\",") != std::string::npos);
    CHECK(response.fields.at("Content-Length") == std::to_string(response.body.size()));
  }
}

TEST_CASE("a detail of the context takes the place of the answer's own, unless it is empty") {
  ProblemContext c = context();
  CHECK(written(Failure::refused(Reason::maintenance), c).body.find("Down for maintenance") != std::string::npos);
  c.detail = "Back at noon";
  const Response response = written(Failure::refused(Reason::maintenance), c);
  CHECK(response.body.find("\"detail\":\"Back at noon\"") != std::string::npos);
  CHECK(response.body.find("Down for maintenance") == std::string::npos);
}

}  // namespace
