// From bytes to a request: what Beast leaves open.

#include "api/server/request.hpp"

#include <doctest/doctest.h>

#include "proxy/text/request_id.hpp"

namespace api {
namespace {

/// As a session reads them: what is not taken stays, and comes again with what follows. False: refused.
bool read(Parser& parser, std::string_view bytes, std::size_t step) {
  set_limits(parser, LimitsConfig());
  std::size_t taken = 0;
  for (std::size_t come = 0; come < bytes.size() && !parser.is_done();) {
    come = std::min(come + step, bytes.size());
    boost::system::error_code error;
    taken += parser.put(boost::asio::buffer(bytes.substr(taken, come - taken)), error);
    if (error && error != boost::beast::http::error::need_more) return false;
  }
  return parser.is_done();
}

struct Read {
  explicit Read(std::string_view bytes, Sender sender = {"192.0.2.1", false}) {
    REQUIRE(read(parser, bytes, bytes.size()));
    request.emplace(make_request(parser.get(), sender, made_up_id, {0, interrupt}));
  }
  Parser parser;
  Interrupt interrupt;
  std::string made_up_id;
  std::optional<Request> request;
};

TEST_CASE("a body in chunks may come cut anywhere") {
  const std::string head = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const auto& [chunks, body] : {std::pair{"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: t\r\n\r\n", "abcde"},
                                     {"1\r\na\r\n0\r\n\r\n", "a"},
                                     {"0\r\n\r\n", ""}}) {
    const std::string message = head + chunks;
    CAPTURE(message);
    for (std::size_t step = 1; step <= message.size(); ++step) {
      CAPTURE(step);
      Parser parser;
      REQUIRE(read(parser, message, step));
      CHECK(parser.get().body() == body);
    }
  }
}

TEST_CASE("what is no request for an origin server is unsound") {
  const auto sound = [](std::string_view bytes) {
    Parser parser;
    REQUIRE(read(parser, bytes, bytes.size()));
    return is_sound(parser.get());
  };
  CHECK(sound("GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n"));
  CHECK(sound("GET / HTTP/1.0\r\n\r\n"));
  CHECK(!sound("GET / HTTP/1.1\r\n\r\n"));
  CHECK(!sound("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"));
  CHECK(!sound("GET /#a HTTP/1.1\r\nHost: a\r\n\r\n"));
  CHECK(!sound("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"));
  CHECK(!sound("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"));
}

TEST_CASE("target, query and id are told apart") {
  const Read read("GET /a?b=c?d HTTP/1.1\r\nHost: a\r\nX-Request-ID: the-id\r\n\r\n");
  CHECK(read.request->method == Method::get);
  CHECK(read.request->path == "/a");
  CHECK(read.request->query == "b=c?d");
  CHECK(read.request->request_id == "the-id");
}

TEST_CASE("an id that would not do in a log is replaced") {
  for (const std::string& id : {std::string("a b"), std::string("a\"b"), std::string(129, 'x'), std::string()}) {
    const Read read("GET / HTTP/1.0\r\nX-Request-ID: " + id + "\r\n\r\n");
    CHECK(text::valid_request_id(read.request->request_id));
    CHECK(read.request->request_id == read.made_up_id);
  }
}

TEST_CASE("the client is whom a trusted proxy names last") {
  const auto client = [](std::string_view forwarded, bool trusted) {
    const Read read("GET / HTTP/1.0\r\nX-Forwarded-For: " + std::string(forwarded) + "\r\n\r\n",
                    {"192.0.2.1", trusted});
    return std::string(read.request->client);
  };
  CHECK(client("198.51.100.1, 2001:db8::1 ", true) == "2001:db8::1");
  CHECK(client("198.51.100.1", false) == "192.0.2.1");
  CHECK(client("198.51.100.1, unknown", true) == "192.0.2.1");
  CHECK(client("", true) == "192.0.2.1");
}

}  // namespace
}  // namespace api
