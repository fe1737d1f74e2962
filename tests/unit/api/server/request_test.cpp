// What the API checks and reads beside Beast's parser.

#include "api/server/request.hpp"

#include <tuple>

#include <doctest/doctest.h>

#include "api/auth/client_network.hpp"
#include "api/server/request_reader.hpp"
#include "proxy/text/request_id.hpp"

namespace api {
namespace {

struct Read {
  explicit Read(std::string_view bytes, Sender sender = {"192.0.2.1", false}) : reader(LimitsConfig()) {
    boost::asio::buffer_copy(reader.room(), boost::asio::buffer(bytes));
    reader.received(bytes.size());
    status = reader.advance();
    if (status == RequestReader::kRequest) {
      request.emplace(make_request(reader.message(), sender, made_up_id, {0, interrupt}));
    }
  }
  RequestReader reader;
  int status = 0;
  Interrupt interrupt;
  std::string made_up_id;
  std::optional<Request> request;
};

TEST_CASE("A head that is invalid for an origin server is refused") {
  const auto status = [](std::string_view bytes) { return Read(bytes).status; };
  CHECK(status("GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n") == 200);
  CHECK(status("GET / HTTP/1.0\r\n\r\n") == 200);
  CHECK(status("GET / HTTP/1.1\r\n\r\n") == 400);
  CHECK(status("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n") == 400);
  CHECK(status("GET /#a HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  CHECK(status("GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  CHECK(status("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  CHECK(status("GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  CHECK(status("GET http://a/#b HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  CHECK(status("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n") == 200);
  CHECK(status("GET * HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
}

TEST_CASE("A request with an ambiguous body length is refused") {
  const auto status = [](std::string_view fields, std::string_view body, std::string_view version = "1.1") {
    return Read("POST / HTTP/" + std::string(version) + "\r\nHost: a\r\n" + std::string(fields) + "\r\n" +
                std::string(body))
        .status;
  };
  CHECK(status("Content-Length: 2\r\n", "ab") == 200);
  CHECK(status("Content-Length: 2\r\nContent-Length: 2\r\n", "ab") == 400);
  CHECK(status("Content-Length: 2, 2\r\n", "ab") == 400);
  CHECK(status("Content-Length: +2\r\n", "ab") == 400);
  CHECK(status("Content-Length: \r\n", "ab") == 400);
  const std::string_view chunks = "2\r\nab\r\n0\r\n\r\n";
  CHECK(status("Transfer-Encoding: chunked\r\n", chunks) == 200);
  CHECK(status("Transfer-Encoding: CHUNKED\r\n", chunks) == 200);
  for (const char* coding : {"gzip", "gzip, chunked", "chunked, gzip", "identity", "", "chunked, chunked", "xchunked",
                             "chunked;a=b", "gzip\r\nTransfer-Encoding: chunked"}) {
    CAPTURE(coding);
    CHECK(status("Transfer-Encoding: " + std::string(coding) + "\r\n", chunks) == 501);
  }
  CHECK(status("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunks) == 400);
  CHECK(status("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", chunks) == 400);
  CHECK(status("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", chunks) == 400);
  CHECK(status("Transfer-Encoding: gzip\r\nContent-Length: 2\r\n", "ab") == 400);
  CHECK(status("Content-Length: 2\r\nTransfer-Encoding: gzip\r\n", "ab") == 400);
  CHECK(status("Transfer-Encoding: chunked\r\n", chunks, "1.0") == 400);
}

TEST_CASE("The pressure is read from one valid field, whatever the case of its name") {
  const auto pressure = [](std::string_view fields) {
    return Read("GET / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n").request->pressure;
  };
  CHECK(pressure("") == 0);
  CHECK(pressure("Spillway-Pressure: 0.80\r\n") == 80);
  CHECK(pressure("spillway-pressure:1.00 \r\n") == 100);
  CHECK(pressure("Spillway-Pressure: high\r\n") == 0);
  CHECK(pressure("Spillway-Pressure:\r\n") == 0);
  CHECK(pressure("Spillway-Pressure: 0.90\r\nSpillway-Pressure: 0.90\r\n") == 0);
}

TEST_CASE("Path, query and request id are read from the message") {
  const Read read("GET /a?b=c?d HTTP/1.1\r\nHost: a\r\nX-Request-ID: the-id\r\n\r\n");
  CHECK(read.request->method == Method::get);
  CHECK(read.request->path == "/a");
  CHECK(read.request->query == "b=c?d");
  CHECK(read.request->request_id == "the-id");
}

TEST_CASE("The absolute form gives the same path and query") {
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {"http://a/b?c", "/b", "c"},    {"HTTPS://a:80/b", "/b", ""},     {"http://a", "/", ""},
      {"http://a?b=/c", "/", "b=/c"}, {"http://[::1]/b/c", "/b/c", ""}, {"/b?http://c/d", "/b", "http://c/d"},
  };
  for (const auto& [target, path, query] : cases) {
    CAPTURE(target);
    const Read read("GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n");
    REQUIRE(read.status == RequestReader::kRequest);
    CHECK(read.request->path == path);
    CHECK(read.request->query == query);
  }
}

TEST_CASE("A request id with invalid characters is replaced") {
  for (const std::string& id : {std::string("a b"), std::string("a\"b"), std::string(129, 'x'), std::string()}) {
    const Read read("GET / HTTP/1.0\r\nX-Request-ID: " + id + "\r\n\r\n");
    CHECK(text::valid_request_id(read.request->request_id));
    CHECK(read.request->request_id == read.made_up_id);
  }
}

TEST_CASE("The client is the right-most untrusted address over all lines of X-Forwarded-For") {
  std::vector<config::Cidr> proxies(2);
  REQUIRE(parse("10.0.0.0/8", proxies[0]));
  REQUIRE(parse("fd00::/8", proxies[1]));
  const auto client = [&](std::initializer_list<std::string_view> lines, bool trusted = true) {
    std::string head = "GET / HTTP/1.0\r\n";
    for (const std::string_view line : lines) head.append("X-Forwarded-For: ").append(line).append("\r\nX: y\r\n");
    const Read read(head + "\r\n", {"192.0.2.1", trusted, proxies});
    return std::string(read.request->client);
  };
  CHECK(client({"198.51.100.1, 2001:db8::1 "}) == "2001:db8::1");
  CHECK(client({"198.51.100.1"}, false) == "192.0.2.1");
  CHECK(client({"198.51.100.1, unknown"}) == "192.0.2.1");
  CHECK(client({""}) == "192.0.2.1");
  CHECK(client({}) == "192.0.2.1");
  // HAProxy adds a line of its own after the client's lines.
  CHECK(client({"198.51.100.1", "203.0.113.7"}) == "203.0.113.7");
  CHECK(client({"198.51.100.1", "203.0.113.7", "10.0.0.2"}) == "203.0.113.7");
  CHECK(client({"198.51.100.1, 203.0.113.7", "", "10.0.0.2,fd00::3"}) == "203.0.113.7");
  CHECK(client({"10.0.0.3, 10.0.0.2"}) == "10.0.0.3");
  CHECK(client({"198.51.100.1, 203.0.113.7:4711, [fd00::3]:80"}) == "203.0.113.7");
  CHECK(client({"[2001:db8::1]:4711, 10.0.0.2:1"}) == "2001:db8::1");
}

TEST_CASE("A client is an IPv4 address or an IPv6 network") {
  CHECK(auth::client_network("192.0.2.1") == auth::client_network("::ffff:192.0.2.1"));
  CHECK(auth::client_network("192.0.2.1") == auth::client_network("192.0.2.1:80"));
  CHECK(auth::client_network("192.0.2.1") != auth::client_network("192.0.2.2"));
  CHECK(auth::client_network("2001:db8::1") == auth::client_network("2001:db8::ffff:0:0:1"));
  CHECK(auth::client_network("2001:db8::1") != auth::client_network("2001:db8:0:1::1"));
  CHECK(auth::client_network("unix") == "unix");
}

}  // namespace
}  // namespace api
