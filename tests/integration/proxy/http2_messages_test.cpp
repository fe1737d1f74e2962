// Requests of HTTP/2 (RFC 9113, section 8), and their compressed form (RFC 7541). Each row names its section.

#include <doctest/doctest.h>

#include "tests/integration/proxy/http2_rows.hpp"

namespace spillway::test {
namespace {

/// Pseudo-fields in the order given, without any that a row leaves out.
Fields with(std::initializer_list<std::pair<std::string, std::string>> fields) {
  return fields;
}

Row head(const char* rule, Fields fields, Expect expect = Expect::stream, int code = h2::kProtocolError) {
  return {rule, [fields](H2Client& c) { c.frame(h2::kHeaders, kGet, 1, c.encode(fields)); }, expect, code};
}
Row field(const char* rule, const std::string& name, const std::string& value) {
  return head(rule, H2Client::request("GET", "/", {{name, value}}));
}

const std::vector<Row> kMessages{
    head("8: GET", H2Client::request("GET", "/"), Expect::answered, 200),
    head("8: HEAD", H2Client::request("HEAD", "/"), Expect::answered, 200),
    {"8: POST with trailers",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndHeaders, 1, post(c, {{"trailer", "x"}}));
       c.data(1, "x");
       c.frame(h2::kHeaders, kGet, 1, c.encode({{"x", "1"}}));
     },
     Expect::answered, 200},
    {"8.1: trailers",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndHeaders, 1, post(c));
       c.data(1, "x");
       c.frame(h2::kHeaders, kGet, 1, c.encode({{"x-trailer", "1"}}));
     },
     Expect::served},
    {"8.1: a second head without an end",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndHeaders, 1, post(c));
       c.frame(h2::kHeaders, h2::kEndHeaders, 1, c.encode({{"x", "1"}}));
     },
     Expect::stream, h2::kProtocolError},
    {"8.1: a pseudo-field in trailers",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndHeaders, 1, post(c));
       c.data(1, "x");
       c.frame(h2::kHeaders, kGet, 1, c.encode({{":method", "GET"}}));
     },
     Expect::stream, h2::kProtocolError},
    {"8.1: a framing field in trailers",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndHeaders, 1, post(c));
       c.data(1, "x");
       c.frame(h2::kHeaders, kGet, 1, c.encode({{"content-length", "1"}}));
     },
     Expect::stream, h2::kProtocolError},
    {"8.1: a field of authentication in trailers",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndHeaders, 1, post(c));
       c.data(1, "x");
       c.frame(h2::kHeaders, kGet, 1, c.encode({{"cookie", "a=b"}}));
     },
     Expect::stream, h2::kProtocolError},
    {"8.1.1: less DATA than Content-Length",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndHeaders, 1, post(c, {{"content-length", "2"}}));
       c.data(1, "x", true);
     },
     Expect::stream, h2::kProtocolError},
    {"8.1.1: more DATA than Content-Length",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndHeaders, 1, post(c, {{"content-length", "3"}}));
       c.data(1, "xx");
       c.data(1, "xx", true);
     },
     Expect::stream, h2::kProtocolError},
    {"8.2: a malformed head",
     [](H2Client& c) {
       c.frame(h2::kHeaders, kGet, 1, block(c, {{"X-Upper", "1"}}));
     },
     Expect::stream, h2::kProtocolError},
    {"8.4: PUSH_PROMISE of a client", [](H2Client& c) { c.frame(h2::kPush, h2::kEndHeaders, 1, four(2) + block(c)); },
     Expect::connection, h2::kProtocolError},
    head("8.2.1: no name", H2Client::request("GET", "/", {{"", "1"}})),
    field("8.2.1: upper case", "X-Upper", "1"),
    field("8.2.1: a space in a name", "x y", "1"),
    field("8.2.1: a control byte in a name", "x\x01", "1"),
    field("8.2.1: DEL in a name", "x\x7f", "1"),
    field("8.2.1: a byte beyond ASCII in a name", "x\x80", "1"),
    field("8.2.1: a colon in a name", "x:y", "1"),
    field("8.2.1: NUL in a value", "x", std::string("a\0b", 3)),
    field("8.2.1: LF in a value", "x", "a\nb: c"),
    field("8.2.1: CR in a value", "x", "a\rb"),
    field("8.2.1: a space before a value", "x", " a"),
    field("8.2.1: a tab behind a value", "x", "a\t"),
    field("8.2.2: Connection", "connection", "keep-alive"),
    field("8.2.2: Keep-Alive", "keep-alive", "5"),
    field("8.2.2: Proxy-Connection", "proxy-connection", "close"),
    field("8.2.2: Transfer-Encoding", "transfer-encoding", "chunked"),
    field("8.2.2: Upgrade", "upgrade", "websocket"),
    field("8.2.2: TE other than trailers", "te", "trailers, deflate"),
    head("8.2.2: TE of trailers", H2Client::request("GET", "/", {{"te", "trailers"}}), Expect::answered, 200),
    field("8.3: an unknown pseudo-field", ":test", "1"),
    field("8.3: a pseudo-field of a response", ":status", "200"),
    head("8.3: a pseudo-field behind a regular one",
         with({{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {"x", "1"}, {":path", "/"}})),
    head("8.3.1: an empty :path", with({{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", ""}})),
    head("8.3.1: no :method", with({{":scheme", "http"}, {":authority", "a"}, {":path", "/"}})),
    head("8.3.1: no :scheme", with({{":method", "GET"}, {":authority", "a"}, {":path", "/"}})),
    head("8.3.1: an empty :scheme", with({{":method", "GET"}, {":scheme", ""}, {":authority", "a"}, {":path", "/"}})),
    head("9110 4.2: a :scheme that is not served",
         with({{":method", "GET"}, {":scheme", "ftp"}, {":authority", "a"}, {":path", "/"}})),
    head("8.3.1: no :path", with({{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}})),
    field("8.3.1: two :method", ":method", "GET"),
    field("8.3.1: two :scheme", ":scheme", "http"),
    field("8.3.1: two :path", ":path", "/"),
    field("8.3.1: two :authority", ":authority", "test"),
    field("8.3.1: another Host", "host", "other"),
    head("8.3.1: a :path without a slash",
         with({{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", "a"}})),
    head("8.3.1: * of OPTIONS",
         with({{":method", "OPTIONS"}, {":scheme", "http"}, {":authority", "a"}, {":path", "*"}}), Expect::answered,
         200),
    head("8.5: CONNECT with a :path",
         with({{":method", "CONNECT"}, {":scheme", "http"}, {":authority", "a:1"}, {":path", "/"}})),
    head("8.5: CONNECT without :authority", with({{":method", "CONNECT"}})),
    head("8.5: CONNECT is not served", with({{":method", "CONNECT"}, {":authority", "a:1"}}), Expect::answered, 405),
    head("8441 4: :protocol without CONNECT", with({{":method", "GET"},
                                                    {":scheme", "http"},
                                                    {":authority", "a"},
                                                    {":path", "/"},
                                                    {":protocol", "websocket"}})),
};

const std::vector<Row> kHpack{
    {"7541 2.3.3: a name beyond the tables",
     [](H2Client& c) { c.frame(h2::kHeaders, kGet, 1, block(c) + std::string("\x7f\x07\x00", 3)); }, Expect::connection,
     h2::kCompressionError},
    {"7541 5.1: a number that does not end",
     [](H2Client& c) { c.frame(h2::kHeaders, kGet, 1, block(c) + std::string(12, '\xff')); }, Expect::connection,
     h2::kCompressionError},
    {"7541 5.2: a value that is longer than the head",
     [](H2Client& c) { c.frame(h2::kHeaders, kGet, 1, block(c) + std::string("\x00\x01x\x7ey", 5)); },
     Expect::connection, h2::kCompressionError},
    {"7541 4.2: the size of the table is updated before a head, more than once",
     [](H2Client& c) { c.frame(h2::kHeaders, kGet, 1, "\x20" + std::string("\x3f\xe1\x1f") + block(c)); },
     Expect::answered, 200},
    {"7541 2.3.3: an index beyond the tables", [](H2Client& c) { c.frame(h2::kHeaders, kGet, 1, block(c) + "\xc6"); },
     Expect::connection, h2::kCompressionError},
    {"7541 4.2: a size update at the end", [](H2Client& c) { c.frame(h2::kHeaders, kGet, 1, block(c) + "\x21"); },
     Expect::connection, h2::kCompressionError},
    {"7541 5.2: padding of more than 7 bits",
     [](H2Client& c) {
       c.frame(h2::kHeaders, kGet, 1, block(c) + std::string("\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff", 12));
     },
     Expect::connection, h2::kCompressionError},
    {"7541 5.2: padding of zeros",
     [](H2Client& c) {
       c.frame(h2::kHeaders, kGet, 1, block(c) + std::string("\x00\x85\xf2\xb2\x4a\x87\xff\xfd\x25\x42\x7f", 11));
     },
     Expect::connection, h2::kCompressionError},
    {"7541 5.2: the end of strings within one",
     [](H2Client& c) {
       c.frame(h2::kHeaders, kGet, 1,
               block(c) + std::string("\x00\x85\xf2\xb2\x4a\x84\xff\x87\xff\xff\xff\xfa\x0d\x45\x4a", 15));
     },
     Expect::connection, h2::kCompressionError},
    {"7541 6.1: index 0", [](H2Client& c) { c.frame(h2::kHeaders, kGet, 1, block(c) + "\x80"); }, Expect::connection,
     h2::kCompressionError},
    {"7541 6.3: a table larger than announced",
     [](H2Client& c) { c.frame(h2::kHeaders, kGet, 1, std::string("\x3f\xe1\xff\x03") + block(c)); },
     Expect::connection, h2::kCompressionError},
};

TEST_CASE("requests as RFC 9113 wants them") {
  check_all(kMessages);
}

TEST_CASE("errors of HPACK end the connection") {
  check_all(kHpack);
}

TEST_CASE("7541 6: every representation of a field reaches the API as this field") {
  constexpr const char* kKey =
      "\x0a"
      "custom-key";
  constexpr const char* kValue =
      "\x0c"
      "custom-value";
  constexpr const char* kHuffmanKey = "\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f";
  constexpr const char* kHuffmanValue = "\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf";
  const std::string indexing = "\x40", without(1, '\0'), never = "\x10";
  struct Form {
    std::string bytes, name, value;
  };
  const Form forms[] = {
      {"\xba", "user-agent", ""},
      {std::string("\x7a") + kValue, "user-agent", "custom-value"},
      {std::string("\x7a") + kHuffmanValue, "user-agent", "custom-value"},
      {indexing + kKey + kValue, "custom-key", "custom-value"},
      {indexing + kHuffmanKey + kHuffmanValue, "custom-key", "custom-value"},
      {std::string("\x0f\x2b") + kValue, "user-agent", "custom-value"},
      {std::string("\x0f\x2b") + kHuffmanValue, "user-agent", "custom-value"},
      {without + kKey + kValue, "custom-key", "custom-value"},
      {without + kHuffmanKey + kHuffmanValue, "custom-key", "custom-value"},
      {std::string("\x1f\x2b") + kValue, "user-agent", "custom-value"},
      {std::string("\x1f\x2b") + kHuffmanValue, "user-agent", "custom-value"},
      {never + kKey + kValue, "custom-key", "custom-value"},
      {never + kHuffmanKey + kHuffmanValue, "custom-key", "custom-value"},
  };
  Upstream upstream;
  Proxy proxy(upstream, {.listen = kHttp2Listen});
  for (const Form& form : forms) {
    H2Client client(proxy);
    client.frame(h2::kHeaders, kGet, 1, block(client) + form.bytes);
    CHECK(client.receive(1).status() == 200);
    const std::string head = upstream.seen().back().head;
    CAPTURE(head);
    CHECK(support::count_fields(head, form.name) == 1);
    CHECK(field_of(head, form.name) == form.value);
  }
}

}  // namespace
}  // namespace spillway::test
