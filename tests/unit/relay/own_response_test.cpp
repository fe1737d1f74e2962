#include "proxy/relay/own_response.hpp"

#include <map>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "proxy/http1/writer.hpp"

namespace {

using namespace spillway::relay;
using spillway::admission::Reason;
using spillway::http::Framing;

/// A response, parsed as a client does it.
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

/// A problem as a client of HTTP/1.1 gets it.
std::string text_of(const Answer& answer, const OwnResponseContext& context, bool keep_alive = true) {
  OwnResponse response;
  response.make_problem(answer, context);
  std::string text;
  spillway::http::write_response(
      response.head,
      {.keep_alive = keep_alive, .framing = response.head.framing, .request_id = context.request_id, .made_here = true},
      text);
  return text + response.body;
}

Response written(const Failure& failure, const OwnResponseContext& context, bool keep_alive = true) {
  return Response(text_of(answer_to(failure), context, keep_alive));
}

OwnResponseContext context() {
  OwnResponseContext context;
  context.request_id = "id-1";
  context.date = "Sun, 06 Nov 1994 08:49:37 GMT";
  return context;
}

TEST_CASE("a refusal for load is exactly as documented, byte for byte") {
  OwnResponseContext c = context();
  c.retry_after = 5;
  CHECK(text_of(answer_to(Failure::refused(Reason::queue_timeout)), c) ==
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
                             answer_to(Failure::refused(Reason::fairness)).detail.size();
  for (const std::size_t body : {130, 500, 999, 1000, 1001, 5000, 9'999, 10'000, 10'001, 20'000}) {
    CAPTURE(body);
    const std::string detail(body - others, 'x');
    OwnResponseContext c = context();
    c.detail = detail;
    const Response response = written(Failure::refused(Reason::fairness), c);
    CHECK(response.body.size() == body);
    CHECK(response.fields.at("Content-Length") == std::to_string(body));
    CHECK(response.body.find("\"detail\":\"" + detail + "\"") != std::string::npos);

    c.head_method = true;
    const Response head = written(Failure::refused(Reason::fairness), c);
    CHECK(head.body.empty());
    CHECK(head.status_line == response.status_line);
    CHECK(head.fields == response.fields);  // the same as for a GET, including Content-Length
  }
  Answer shortest;
  OwnResponseContext nothing;
  const Response response(text_of(shortest, nothing));
  CHECK(response.body.size() < 100);  // two digits
  CHECK(response.fields.at("Content-Length") == std::to_string(response.body.size()));
}

TEST_CASE("optional fields are there only when they apply") {
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
      OwnResponseContext c = context();
      c.retry_after = seconds;
      CHECK(written(Failure::refused(Reason::fairness), c).fields.at("Retry-After") == std::to_string(seconds));
    }
  }
  SUBCASE("Connection: close") {
    CHECK(written(Failure::Kind::client_timeout, context(), false).fields.at("Connection") == "close");
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

TEST_CASE("no text breaks out of its JSON string") {
  struct Row {
    std::string text, escaped;
  };
  const Row rows[] = {
      {"plain", "plain"},
      {"say \"no\"", R"(say \"no\")"},
      {R"(back\slash)", R"(back\\slash)"},
      {"\",\"status\":200,\"x\":\"", R"(\",\"status\":200,\"x\":\")"},
      {"line\nand\ttab\r", R"(line\nand\ttab\u000d)"},
      {std::string("\0\x1f", 2), R"(\u0000\u001f)"},
      {"\x7f", R"(\u007f)"},
      {"Wartung läuft", "Wartung läuft"},
      {"</script>", "</script>"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    OwnResponseContext c = context();
    c.detail = row.text;
    const Response response = written(Failure::refused(Reason::maintenance), c);
    CHECK(response.body.find("\"detail\":\"" + row.escaped + "\",") != std::string::npos);
    CHECK(response.fields.at("Content-Length") == std::to_string(response.body.size()));
  }
}

TEST_CASE("a detail of the context replaces the answer's own, unless it is empty") {
  OwnResponseContext c = context();
  CHECK(written(Failure::refused(Reason::maintenance), c).body.find("Down for maintenance") != std::string::npos);
  c.detail = "Back at noon";
  const Response response = written(Failure::refused(Reason::maintenance), c);
  CHECK(response.body.find("\"detail\":\"Back at noon\"") != std::string::npos);
  CHECK(response.body.find("Down for maintenance") == std::string::npos);
}

TEST_CASE("a response is a head and a body, and the next one leaves nothing of it") {
  OwnResponse response;
  OwnResponseContext c = context();
  c.retry_after = 5;
  response.make_problem(answer_to(Failure::refused(Reason::fairness)), c);
  CHECK(response.head.status == 429);
  CHECK(response.head.field("retry-after") == "5");
  CHECK(response.head.framing == Framing::length);
  CHECK(response.head.content_length == response.body.size());

  c.head_method = true;
  response.make_problem(answer_to(Failure::refused(Reason::fairness)), c);
  CHECK(response.body.empty());
  CHECK(response.head.framing == Framing::none);
  CHECK(response.head.announces_length);

  response.make_options(c);
  CHECK(response.head.status == 204);
  CHECK(response.head.reason == "No Content");
  CHECK(response.head.fields.size() == 2);
  CHECK(response.head.field("date") == c.date);
  CHECK(response.head.field("allow") == "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
  CHECK_FALSE(response.head.announces_length);
  CHECK(response.body.empty());
}

TEST_CASE("a client of HTTP/1.0 that asked for it is told that the connection stays") {
  OwnResponse response;
  response.make_problem(answer_to(Failure::refused(Reason::fairness)), context());
  std::string text;
  spillway::http::write_response(
      response.head, {.client_minor = 0, .framing = response.head.framing, .request_id = "id-1", .made_here = true},
      text);
  CHECK(Response(text).fields.at("Connection") == "keep-alive");
  CHECK_FALSE(Response(text).fields.contains("Via"));
}

}  // namespace
