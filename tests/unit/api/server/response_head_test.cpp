// The head of a response, as it goes out on the wire.
#include "api/server/response_head.hpp"

#include <doctest/doctest.h>

#include "api/endpoints/problem.hpp"

namespace api {
namespace {

/// Without the lines of every response: the date, the id of the request and the load report.
std::string head_of(const Response& response, Keep keep) {
  std::string head;
  append_head(head, response, keep, {}, "id-1");
  for (const char* name : {"Date: ", "X-Request-ID: id-1", "Endpoint-Load-Metrics: "}) {
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
  response.allow = "GET, HEAD, OPTIONS";
  CHECK(head_of(response, Keep::yes).find("\r\nAllow: GET, HEAD, OPTIONS\r\n") != std::string::npos);
}

TEST_CASE("A response without a body has neither length nor type, and one to be kept has its validator") {
  Response response;
  response.status = 304;
  response.body = "not sent";
  response.etag = "\"abc\"";
  response.cache_control = "private, no-cache";
  CHECK(head_of(response, Keep::yes) ==
        "HTTP/1.1 304 Not Modified\r\nETag: \"abc\"\r\nCache-Control: private, no-cache\r\n\r\n");
  response = {};
  response.status = 204;
  response.allow = "POST, OPTIONS";
  CHECK(head_of(response, Keep::yes) == "HTTP/1.1 204 No Content\r\nAllow: POST, OPTIONS\r\n\r\n");
  response.no_store = true;
  response.cache_control = "private, no-cache";
  CHECK(head_of(response, Keep::yes).find("Cache-Control: no-store\r\n") != std::string::npos);
}

}  // namespace
}  // namespace api
