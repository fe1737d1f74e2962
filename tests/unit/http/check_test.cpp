// The check of meaning, without bytes on the wire. tests/unit/http1 has the tables of whole messages.

#include "proxy/http/check.hpp"

#include <initializer_list>

#include <doctest/doctest.h>

#include "proxy/http/problem.hpp"

namespace spillway::http {
namespace {

RequestHead request(std::string_view method, std::string_view target, std::initializer_list<Field> fields) {
  RequestHead head;
  head.method = method;
  head.target = target;
  head.fields = fields;
  return head;
}

TEST_CASE("the check splits a target and keeps the facts of the fields") {
  RequestHead head =
      request("POST", "/a?b=c", {{"Host", "api:80"}, {"Content-Length", "12"}, {"Expect", "100-continue"}});
  REQUIRE_FALSE(check_request({}, head));
  CHECK(head.path == "/a");
  CHECK(head.query == "b=c");
  CHECK(head.authority == "api:80");
  CHECK(head.framing == Framing::length);
  CHECK(head.content_length == 12);
  CHECK(head.expect_continue);
  CHECK(head.keep_alive);
  CHECK_FALSE(head.idempotent);
}

TEST_CASE("hop-by-hop fields, and those that Connection names, are dropped") {
  RequestHead head =
      request("GET", "/", {{"Host", "a"}, {"Connection", "close, X-Hop"}, {"X-Hop", "1"}, {"X-End", "2"}});
  REQUIRE_FALSE(check_request({}, head));
  CHECK_FALSE(head.keep_alive);
  CHECK(head.fields[1].dropped);
  CHECK(head.fields[2].dropped);
  CHECK_FALSE(head.fields[3].dropped);
}

TEST_CASE("a request whose end or host is in doubt is refused") {
  for (RequestHead head : {
           request("GET", "/", {}),
           request("GET", "/", {{"Host", "a"}, {"Host", "a"}}),
           request("POST", "/", {{"Host", "a"}, {"Content-Length", "1"}, {"Content-Length", "2"}}),
           request("POST", "/", {{"Host", "a"}, {"Content-Length", "1"}, {"Transfer-Encoding", "chunked"}}),
       }) {
    CHECK(check_request({}, head).status == 400);
  }
}

TEST_CASE("a response to HEAD has a length and no body") {
  ResponseHead head;
  head.status = 200;
  head.fields = {{"Content-Length", "7"}};
  ResponseHead to_head = head;
  REQUIRE_FALSE(check_response(false, head));
  REQUIRE_FALSE(check_response(true, to_head));
  CHECK(head.framing == Framing::length);
  CHECK(to_head.framing == Framing::none);
  CHECK(to_head.announces_length);
  CHECK(to_head.content_length == 7);
}

TEST_CASE("a problem document escapes its detail and ends with a line feed") {
  std::string out = "x";
  write_problem({.status = 503, .title = "T", .detail = "say \"no\"", .reason = "pool", .request_id = "id"}, out);
  CHECK(out.starts_with("x{"));
  CHECK(out.ends_with("}\n"));
  CHECK(out.find(R"("detail":"say \"no\"")") != std::string::npos);
  CHECK(out.find(R"("reason":"pool","request_id":"id")") != std::string::npos);
}

}  // namespace
}  // namespace spillway::http
