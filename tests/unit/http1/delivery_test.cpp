#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/http1/parse.hpp"
#include "tests/unit/http1/rows.hpp"

using namespace spillway::http;
using rows::lines;
using rows::ok;

namespace {

struct Case {
  std::string rule;
  std::string bytes;
  int client_minor;
  bool keep_alive;
  Framing framing;  ///< expected towards this client
  std::string has;
  std::string lacks = {};
};

}  // namespace

TEST_CASE("a response is framed for the version of its client") {
  const std::string sized = ok("Content-Length: 5");
  const std::string chunked = ok("Transfer-Encoding: chunked");
  const std::vector<Case> cases = {
      {"9112 6.3: length to 1.1", sized, 1, true, Framing::length, "Content-Length: 5\r\n", "connection:"},
      {"9112 6.3: length to 1.0", sized, 0, false, Framing::length, "Content-Length: 5\r\n", "keep-alive"},
      {"9112 9.3: length to 1.0, kept alive", sized, 0, true, Framing::length, "Connection: keep-alive\r\n"},
      {"9112 9.6: closing", sized, 1, false, Framing::length, "Connection: close\r\n"},
      {"9112 7.1: chunked to 1.1", chunked, 1, true, Framing::chunked, "Transfer-Encoding: chunked\r\n", "connection:"},
      {"9112 6.1: chunked to 1.0", chunked, 0, true, Framing::until_close, "Connection: close\r\n", "chunked"},
      {"9112 6.3: until closed, to 1.1", ok(), 1, true, Framing::chunked, "Transfer-Encoding: chunked\r\n",
       "connection:"},
      {"9112 6.3: until closed, to 1.0", ok(), 0, true, Framing::until_close, "Connection: close\r\n", "chunked"},
      {"9110 15.3.5: 204", lines("HTTP/1.1 204 a"), 1, true, Framing::none, "HTTP/1.1 204 a\r\n", "connection:"},
      {"9110 15.3.5: 204, closing", lines("HTTP/1.1 204 a"), 1, false, Framing::none, "Connection: close\r\n"},
      {"9110 15.2: 103 says nothing of the connection", lines("HTTP/1.1 103 a"), 1, false, Framing::none,
       "HTTP/1.1 103 a\r\n", "connection:"},
      {"contract: X-Request-ID", ok("X-Request-ID: theirs", "Content-Length: 5"), 1, true, Framing::length,
       "X-Request-ID: id-2\r\n", "theirs"},
  };
  for (const Case& row : cases) {
    CAPTURE(row.rule);
    ResponseHead head;
    REQUIRE_FALSE(parse_response(row.bytes, false, head));
    Delivery delivery;
    delivery.client_minor = row.client_minor;
    delivery.keep_alive = row.keep_alive;
    delivery.framing = delivery_framing(head, row.client_minor);
    delivery.request_id = "id-2";
    CHECK(delivery.framing == row.framing);
    std::string written;
    write_response(head, delivery, written);
    CAPTURE(written);
    CHECK(written.find(row.has) != std::string::npos);
    if (!row.lacks.empty()) CHECK(rows::lower(written).find(row.lacks) == std::string::npos);
  }
}

TEST_CASE("the parser refuses malformed heads that no scanner has checked") {
  RequestHead request;
  for (const char* bytes :
       {"", "\r\n\r\n", "GET\r\n\r\n", "GET /\r\n\r\n", " / HTTP/1.1\r\n\r\n", "GET  HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1", "GET / HTTP/1.1\r\nHost: a\r\n", "GET / HTTP/1.1\nHost: a\n\n"}) {
    CAPTURE(bytes);
    CHECK(parse_request(bytes, {}, request).status == 400);
  }
  ResponseHead response;
  for (const char* bytes : {"", "\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK", "HTTP/1.1 200 OK\r\nX: y\r\n"}) {
    CAPTURE(bytes);
    CHECK(parse_response(bytes, false, response).status == 502);
  }
}

TEST_CASE("writers append to a string") {
  ResponseHead response;
  REQUIRE_FALSE(parse_response("HTTP/1.1 204 a\r\n\r\n", false, response));
  std::string out = "before|";
  write_response(response, {}, out);
  CHECK(out == "before|HTTP/1.1 204 a\r\nVia: 1.1 spillway\r\n\r\n");

  out.clear();
  write_response(response, {.date = "now"}, out);
  CHECK(out == "HTTP/1.1 204 a\r\nDate: now\r\nVia: 1.1 spillway\r\n\r\n");

  RequestHead request;
  REQUIRE_FALSE(parse_request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", {}, request));
  out = "before|";
  write_request(request, {}, out);
  CHECK(out ==
        "before|GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 spillway\r\nX-Forwarded-Proto: http\r\n"
        "X-Forwarded-Host: a\r\n\r\n");
}

TEST_CASE("a chunk size is written in hexadecimal") {
  const auto written = [](std::size_t size) {
    std::string out = ".";
    write_chunk_size(size, out);
    CHECK(out.size() <= kChunkSizeMax + 1);
    return out;
  };
  CHECK(written(1) == ".1\r\n");
  CHECK(written(16384) == ".4000\r\n");
  CHECK(written(0xabcdef) == ".abcdef\r\n");
  CHECK(written(std::numeric_limits<std::size_t>::max()) == ".ffffffffffffffff\r\n");
}
