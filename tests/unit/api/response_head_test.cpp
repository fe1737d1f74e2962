// The head of a response, as it goes out on the wire.
#include "api/server/response_head.hpp"

#include <doctest/doctest.h>

#include "api/endpoints/problem.hpp"

namespace api {
namespace {

/// Without the lines that other tests hold: the date and the load report.
std::string head_of(const Response& response, Keep keep) {
  std::string head;
  append_head(head, response, keep, {});
  for (const char* name : {"Date: ", "Endpoint-Load-Metrics: "}) {
    const std::size_t begin = head.find(name);
    REQUIRE(begin != std::string::npos);
    head.erase(begin, head.find("\r\n", begin) + 2 - begin);
  }
  return head;
}

TEST_CASE("A refusal is a problem document, with Retry-After, and must not be cached") {
  Interrupt interrupt;
  Request request{.caller = {0, interrupt}};
  request.request_id = "one";
  Response response;
  answer_unavailable(request, response, "Too many connections, please retry");
  CHECK(response.body == R"({"type":"about:blank","title":"Service Unavailable","status":503,)"
                         R"("detail":"Too many connections, please retry","request_id":"one"})");
  CHECK(head_of(response, Keep::no) ==
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n"
        "Content-Length: " +
            std::to_string(response.body.size()) +
            "\r\nRetry-After: 1\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n");
}

TEST_CASE("The head says whether the connection stays open where HTTP requires it") {
  const std::string start = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 0\r\n";
  CHECK(head_of({}, Keep::yes) == start + "\r\n");
  CHECK(head_of({}, Keep::told) == start + "Connection: keep-alive\r\n\r\n");
  CHECK(head_of({}, Keep::no) == start + "Connection: close\r\n\r\n");
}

TEST_CASE("Fields that depend on the status") {
  Response response;
  response.status = 401;
  response.authenticate = true;
  CHECK(head_of(response, Keep::yes).find("\r\nWWW-Authenticate: Bearer\r\n") != std::string::npos);
  response = {};
  response.status = 405;
  response.allow = "GET, HEAD";
  CHECK(head_of(response, Keep::yes).find("\r\nAllow: GET, HEAD\r\n") != std::string::npos);
}

}  // namespace
}  // namespace api
