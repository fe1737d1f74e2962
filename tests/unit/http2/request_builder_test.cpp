#include "proxy/http2/request_builder.hpp"

#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/http1/writer.hpp"

namespace {

using namespace spillway;
using Fields = std::vector<std::pair<std::string, std::string>>;

struct Row {
  const char* rule;
  Fields fields;
  int status = 0;  ///< of the violation; negative: malformed, so that the stream is reset
  std::string has = {};
  std::string lacks = {};
  bool end_stream = true;
  http::HeadLimits limits = {};
};

Fields get(Fields more = {}) {
  Fields fields{{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

/// A GET whose pseudo-field `name` is `value`, or is left out.
Fields with(const std::string& name, const char* value) {
  Fields fields = get();
  for (auto each = fields.begin(); each != fields.end(); ++each) {
    if (each->first != name) continue;
    if (value) {
      each->second = value;
    } else {
      fields.erase(each);
    }
    break;
  }
  return fields;
}

std::string many(std::size_t count, char c) {
  return std::string(count, c);
}

void check(const Row& row, http2::RequestBuilder& builder, http::RequestHead& head) {
  CAPTURE(row.rule);
  builder.begin(row.limits);
  for (const auto& [name, value] : row.fields) builder.add(name, value);
  const auto result = builder.finish(row.end_stream, head);
  CAPTURE(result.violation.rule);
  CHECK(result.violation.status == std::abs(row.status));
  CHECK(result.malformed == (row.status < 0));
  if (result.violation) return;
  std::string written;
  http::Forwarding forwarding;
  http::write_request(head, forwarding, written);
  CAPTURE(written);
  if (!row.has.empty()) CHECK(written.find(row.has) != std::string::npos);
  if (!row.lacks.empty()) CHECK(written.find(row.lacks) == std::string::npos);
}

const std::vector<Row> kRows{
    {"9113 8.3.1: a request", get(), 0, "GET / HTTP/1.1\r\nHost: a\r\n"},
    {"9113 8.3.1: :authority is the Host", with(":authority", "b:80"), 0, "Host: b:80\r\n"},
    {"9113 8.3.1: a Host instead",
     {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {"host", "b"}},
     0,
     "Host: b\r\n"},
    {"9113 8.3.1: a Host that says the same", get({{"host", "A"}}), 0, "Host: a\r\n", "Host: A"},
    {"9113 8.3.1: a Host that disagrees", get({{"host", "b"}}), -400},
    {"9113 8.3.1: two Hosts", get({{"host", "a"}, {"host", "a"}}), -400},
    {"9113 8.3.1: neither", with(":authority", nullptr), 400},
    {"9113 8.3.1: no :method", with(":method", nullptr), -400},
    {"9113 8.3.1: no :scheme", with(":scheme", nullptr), -400},
    {"9113 8.3.1: https, whatever the connection is", with(":scheme", "https"), 0, "GET / "},
    {"3986 3.1: a scheme in upper case", with(":scheme", "HTTPS"), 0, "GET / "},
    {"9110 4.2: another scheme", with(":scheme", "ftp"), -400},
    {"3986 3.1: no scheme", with(":scheme", "a b"), -400},
    {"9110 4.2: a scheme that begins like one", with(":scheme", "https:"), -400},
    {"9113 8.3.1: an empty :scheme", with(":scheme", ""), -400},
    {"9113 8.3.1: no :path", with(":path", nullptr), -400},
    {"9113 8.3.1: an empty :path", with(":path", ""), -400},
    {"9113 8.3.1: :path without a slash", with(":path", "x"), -400},
    {"9113 8.3.1: an absolute :path", with(":path", "http://a/"), -400},
    {"9113 8.3.1: an asterisk",
     {{":method", "OPTIONS"}, {":scheme", "http"}, {":path", "*"}, {":authority", "a"}},
     0,
     "OPTIONS * "},
    {"9113 8.3.1: an asterisk of a GET", with(":path", "*"), -400},
    {"9113 8.3: repeated :path", get({{":path", "/"}}), -400},
    {"9113 8.3: unknown pseudo-field", get({{":x", "1"}}), -400},
    {"9113 8.3: a response's pseudo-field", get({{":status", "200"}}), -400},
    {"9113 8.3: behind a regular field", {{":method", "GET"}, {"x", "1"}, {":scheme", "http"}, {":path", "/"}}, -400},
    {"9113 8.2.1: upper case", get({{"X-a", "1"}}), -400},
    {"9113 8.2.1: an empty name", get({{"", "1"}}), -400},
    {"9113 8.2.1: a colon", get({{"a:b", "1"}}), -400},
    {"9113 8.2.1: a space in a name", get({{"a b", "1"}}), -400},
    {"9113 8.2.1: CR LF in a value", get({{"a", "1\r\nx: y"}}), -400},
    {"9113 8.2.1: LF in a value", get({{"a", "1\nx"}}), -400},
    {"9113 8.2.1: NUL in a value", get({{"a", std::string("1\0", 2)}}), -400},
    {"9110 5.5: another control byte in a value", get({{"a", "1\x01"}}), -400},
    {"9113 8.2.1: space before a value", get({{"a", " 1"}}), -400},
    {"9113 8.2.1: tab behind a value", get({{"a", "1\t"}}), -400},
    {"a tab within, and bytes from 0x80 on", get({{"a", "1\t\xe4"}}), 0, "a: 1\t\xe4\r\n"},
    {"9113 8.2.2: connection", get({{"connection", "close"}}), -400},
    {"9113 8.2.2: keep-alive", get({{"keep-alive", "1"}}), -400},
    {"9113 8.2.2: proxy-connection", get({{"proxy-connection", "x"}}), -400},
    {"9113 8.2.2: transfer-encoding", get({{"transfer-encoding", "chunked"}}), -400},
    {"9113 8.2.2: upgrade", get({{"upgrade", "websocket"}}), -400},
    {"9113 8.2.2: te", get({{"te", "gzip"}}), -400},
    {"9113 8.2.2: te: trailers", get({{"te", "trailers"}}), 0, {}, "te:"},
    {"9113 8.2.3: crumbs of a cookie", get({{"cookie", "a=1"}, {"x", "y"}, {"cookie", "b"}, {"cookie", "c"}}), 0,
     "cookie: a=1; b; c\r\nx: y\r\n"},
    {"9113 8.1.1: a length without DATA", get({{"content-length", "1"}}), -400},
    {"9113 8.1.1: a length of 0", get({{"content-length", "0"}}), 0, "Content-Length: 0"},
    {"two lengths", get({{"content-length", "1"}, {"content-length", "1"}}), -400, {}, {}, false},
    {"a malformed length", get({{"content-length", "+1"}}), 400, {}, {}, false},
    {"a body with a length", get({{"content-length", "7"}}), 0, "Content-Length: 7", "chunked", false},
    {"a body without one", get(), 0, "Transfer-Encoding: chunked", {}, false},
    {":path with a space", with(":path", "/ HTTP/1.1"), -400},
    {":path with CR LF", with(":path", "/\r\nx: y"), -400},
    {":path with a fragment", with(":path", "/#a"), -400},
    {":path with a byte from 0x80 on", with(":path", "/\xe4"), -400},
    {":path with a backslash", with(":path", "/\\"), 400},
    {":path with half an escape", with(":path", "/%4"), 400},
    {"an invalid :authority", with(":authority", "a@b"), 400},
    {":authority with CR LF", with(":authority", "a\r\nx: y"), -400},
    {":method with a space", with(":method", "GET /x"), -400},
    {"an empty :method", with(":method", ""), -400},
    {"an unknown method", with(":method", "BREW"), 501},
    {"an unknown method, where any is served",
     with(":method", "BREW"),
     0,
     "BREW / HTTP/1.1",
     {},
     true,
     {.any_method = true}},
    {"get is not GET", with(":method", "get"), 501},
    {"head is not HEAD", with(":method", "head"), 501, {}, {}, true, {.any_method = true}},
    {"TRACE", with(":method", "TRACE"), 405},
    {"9113 8.5: CONNECT", {{":method", "CONNECT"}, {":authority", "a:1"}}, 405},
    {"9113 8.5: CONNECT with a :path", with(":method", "CONNECT"), -400},
    {"8441 4: :protocol of a GET", get({{":protocol", "websocket"}}), -400},
    {"an underscore", get({{"a_b", "1"}}), 400},
    {"an underscore, where it is allowed", get({{"a_b", "1"}}), 0, "a_b: 1", {}, true, {.underscores = true}},
    {"a long target", with(":path", ("/" + many(100, 'a')).c_str()), 414, {}, {}, true, {.uri = 100}},
    {"many fields", get({{"a", "1"}, {"b", "2"}, {"c", "3"}}), 431, {}, {}, true, {.headers = 2}},
    {"a large head", get({{"a", many(1000, 'a')}}), 431, {}, {}, true, {.head = 1000}},
    {"many crumbs", get({{"cookie", "a"}, {"cookie", "b"}, {"cookie", "c"}}), 431, {}, {}, true, {.headers = 2}},
    {"an expectation", get({{"expect", "100-continue"}}), 0, {}, "xpect", false},
    {"another expectation", get({{"expect", "x"}}), 417},
    {"9113 8.3: a field of the proxy's own",
     get({{"x-forwarded-for", "1.2.3.4"}, {"spillway-pressure", "1"}}),
     0,
     {},
     "1.2.3.4"},
};

TEST_CASE("heads become requests of HTTP/1.1, or break a rule") {
  http2::RequestBuilder builder;  // reused, as on a connection
  http::RequestHead head;
  for (const Row& row : kRows) check(row, builder, head);
}

TEST_CASE("an expectation is met for a body alone") {
  http2::RequestBuilder builder;
  http::RequestHead head;
  for (const bool end_stream : {true, false}) {
    builder.begin({});
    for (const auto& [name, value] : get({{"expect", "100-continue"}})) builder.add(name, value);
    CHECK_FALSE(builder.finish(end_stream, head).violation);
    CHECK(head.expect_continue == !end_stream);
    CHECK(head.http2);
  }
}

TEST_CASE("an extended CONNECT for a WebSocket becomes an upgrade, and no other does") {
  http2::RequestBuilder builder;
  http::RequestHead head;
  for (const std::string protocol : {"websocket", "WebSocket", "connect-udp"}) {
    CAPTURE(protocol);
    builder.begin({});
    Fields fields = get({{":protocol", protocol}, {"sec-websocket-version", "13"}});
    fields[0].second = "CONNECT";
    for (const auto& [name, value] : fields) builder.add(name, value);
    const auto result = builder.finish(false, head);
    CHECK(result.violation.status == (protocol.size() == 9 ? 0 : 501));
    if (result.violation) continue;
    CHECK(head.upgrade_websocket);
    std::string written;
    http::write_request(head, {}, written);
    CHECK(written.starts_with("GET / HTTP/1.1\r\n"));
    CHECK(written.find("Upgrade: websocket\r\n") != std::string::npos);
    CHECK(written.find("Transfer-Encoding") == std::string::npos);
  }
}

TEST_CASE("trailers are checked as fields are, and none is one that must stand in the head") {
  CHECK(http2::check_trailer("x", "y") == nullptr);
  CHECK(http2::check_trailer(":path", "/") != nullptr);
  CHECK(http2::check_trailer("X", "y") != nullptr);
  CHECK(http2::check_trailer("x", "a\nb") != nullptr);
  CHECK(http2::check_trailer("content-length", "1") != nullptr);
  CHECK(http2::check_trailer("host", "a") != nullptr);
  CHECK(http2::check_trailer("authorization", "a") != nullptr);
  CHECK(http2::check_trailer("connection", "close") != nullptr);
}

}  // namespace
