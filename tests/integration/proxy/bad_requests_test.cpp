// The proxy refuses invalid requests. The unit tests have all rules; these tests show that no byte of such a request
// reaches the API, that the client gets a response, and that the connection closes.

#include <doctest/doctest.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"

namespace spillway::test {
namespace {

struct Row {
  const char* what;
  int status;
  std::string raw;
};

const Settings kSmallLimits{.timeouts = "request_head: 100ms, request_body: 100ms",
                            .limits = "head: 2KiB, uri: 1KiB, headers: 20, body: 10KiB"};

std::string get(const std::string& fields) {
  return "GET / HTTP/1.1\r\nHost: test\r\n" + fields + "\r\n";
}

std::vector<Row> rows() {
  using namespace std::string_literals;
  std::string many;
  for (int i = 0; i < 30; ++i) many += "X-" + std::to_string(i) + ": y\r\n";
  return {
      {"no Host", 400, "GET / HTTP/1.1\r\n\r\n"},
      {"two Hosts", 400, get("Host: other\r\n")},
      {"bare LF", 400, "GET / HTTP/1.1\nHost: test\n\n"},
      {"bare CR in a value", 400, get("X: a\rb\r\n")},
      {"NUL in a value", 400, get("X: a\0b\r\n"s)},
      {"obs-fold", 400, get("X: a\r\n b\r\n")},
      {"space before the colon", 400, get("X : a\r\n")},
      {"two spaces in the request line", 400, "GET  / HTTP/1.1\r\nHost: test\r\n\r\n"},
      {"fragment", 400, "GET /#a HTTP/1.1\r\nHost: test\r\n\r\n"},
      {"byte beyond ASCII in the target", 400, "GET /\xC3\xA9 HTTP/1.1\r\nHost: test\r\n\r\n"},
      {"absolute-form that disagrees with Host", 400, "GET http://other/ HTTP/1.1\r\nHost: test\r\n\r\n"},
      {"length with coding", 400,
       "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"two lengths", 400, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na"},
      {"signed length", 400, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: +1\r\n\r\na"},
      {"coding in HTTP/1.0", 400, "POST / HTTP/1.0\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"Connection names Host", 400, get("Connection: host\r\n")},
      {"Connection names Content-Length", 400,
       "POST / HTTP/1.1\r\nHost: test\r\nConnection: content-length\r\nContent-Length: 1\r\n\r\na"},
      {"asterisk with GET", 400, "GET * HTTP/1.1\r\nHost: test\r\n\r\n"},
      {"no HTTP at all", 400, "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"s},
      {"bad chunk that came with its head", 400,
       "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"},
      {"chunk extension without a name", 400,
       "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3;\r\nabc\r\n0\r\n\r\n"},
      {"chunk extension that is no token", 400,
       "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3;bad[=x\r\nabc\r\n0\r\n\r\n"},
      {"CONNECT", 405, "CONNECT test:80 HTTP/1.1\r\nHost: test:80\r\n\r\n"},
      {"TRACE", 405, "TRACE / HTTP/1.1\r\nHost: test\r\n\r\n"},
      {"length beyond the limit", 413, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10241\r\n\r\n"},
      {"long target", 414, "GET /" + std::string(1024, 'a') + " HTTP/1.1\r\nHost: test\r\n\r\n"},
      {"unknown expectation", 417, get("Expect: payment\r\n")},
      {"many fields", 431, get(many)},
      {"long head", 431, get("X: " + std::string(2048, 'a') + "\r\n")},
      {"endless head", 431, "GET / HTTP/1.1\r\nX: " + std::string(4096, 'a')},
      {"unknown coding", 501, "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: gzip\r\n\r\n"},
      {"coding before chunked", 501, "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"},
      {"HTTP/2", 505, "GET / HTTP/2.0\r\nHost: test\r\n\r\n"},
  };
}

TEST_CASE("a bad request is answered, its connection ends, and not a byte of it reaches the API") {
  Upstream upstream;
  Proxy proxy(upstream, kSmallLimits);
  int unparsed = 0;
  for (const Row& row : rows()) {
    CAPTURE(row.what);
    Client client(proxy);
    // The bytes behind it must not be read as a request.
    client.send(row.raw + "GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n");
    const Reply reply = client.receive();
    CHECK(reply.status == row.status);
    CHECK(reply.whole);
    CHECK(reply.field("Content-Type") == "application/problem+json");
    CHECK(reply.field("Connection") == "close");
    CHECK_FALSE(reply.problem("detail").empty());
    client.wire().finish_sending();
    CHECK(client.ended() == End::closed);
    unparsed += 1;
  }
  CHECK(proxy.accounts_balance());
  CHECK(proxy.metric("spillway_bad_requests_total") + proxy.stat("parsed") == unparsed);
  CHECK(upstream.bytes() == 0);

  CHECK(Client(proxy).get("/marked").status == 200);
  REQUIRE(upstream.requests() == 1);
  CHECK(upstream.seen().front().head.starts_with("GET /marked HTTP/1.1\r\n"));
}

TEST_CASE("a head that is late gets 408") {
  Upstream upstream;
  Proxy proxy(upstream, kSmallLimits);
  Client client(proxy);
  client.send("GET / HTTP/1.1\r\nHo");
  const Reply reply = client.receive();
  CHECK(reply.status == 408);
  CHECK(reply.field("Connection") == "close");
  CHECK(client.ended() == End::closed);
  CHECK(upstream.bytes() == 0);
  CHECK(proxy.await_metric("spillway_bad_requests_total", 1, {{"code", "408"}}));
}

TEST_CASE("single bytes do not prolong the time limit of a head") {
  Upstream upstream;
  Proxy proxy(upstream, kSmallLimits);
  Client client(proxy);
  client.send("GET / HTTP/1.1\r\nHost: test\r\nX: ");
  // Sends a byte every few milliseconds until the response is there.
  CHECK(eventually([&] {
    client.wire().send_some("a");
    return proxy.metric("spillway_bad_requests_total") > 0;
  }));
  CHECK(client.receive().status == 408);
  CHECK(upstream.bytes() == 0);
  CHECK(proxy.await_metric("spillway_bad_requests_total", 1, {{"code", "408"}}));
}

TEST_CASE("a body that is late gets 408, and the API gets a truncated request") {
  std::atomic<bool> whole = true;
  Upstream upstream([&](Turn& turn) {
    turn.body();
    whole = turn.body_whole();
    turn.close();
  });
  Proxy proxy(upstream, {.timeouts = "request_body: 100ms"});
  // Small bodies, and the beginning of large ones, are buffered before the request is forwarded.
  for (const std::string framing :
       {"Content-Length: 10\r\n\r\n", "Content-Length: 100000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n3\r\n"}) {
    Client small(proxy);
    small.send("POST / HTTP/1.1\r\nHost: test\r\n" + framing + "abc");
    CHECK(small.receive().status == 408);
    CHECK(upstream.bytes() == 0);
  }

  for (const std::string framing : {"Content-Length: 100000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nea60\r\n"}) {
    CAPTURE(framing);
    whole = true;
    Client client(proxy);
    client.send("POST / HTTP/1.1\r\nHost: test\r\n" + framing + pattern(60'000));
    const Reply reply = client.receive();
    CHECK(reply.status == 408);
    CHECK(reply.field("Connection") == "close");
    CHECK(client.ended() == End::closed);
    CHECK(eventually([&] { return !whole; }));
  }
  CHECK(proxy.accounts_balance());
}

TEST_CASE("a chunked body beyond the limit gets 413 as soon as it exceeds it, and the API gets a truncated request") {
  std::atomic<bool> whole = true;
  Upstream upstream([&](Turn& turn) {
    turn.body();
    whole = turn.body_whole();
    turn.close();
  });
  Proxy proxy(upstream, kSmallLimits);
  Client client(proxy);
  client.send("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
  client.send(chunked(pattern(10 * 1024 + 1)));
  const Reply reply = client.receive();
  CHECK(reply.status == 413);
  CHECK(reply.field("Connection") == "close");
  CHECK(eventually([&] { return upstream.requests() == 0 || !whole; }));

  whole = false;
  Client within(proxy);
  within.send("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(pattern(10 * 1024)));
  CHECK(eventually([&] { return whole.load(); }));
}

TEST_CASE("a malformed chunk gets 400, and the API gets a truncated request") {
  std::atomic<bool> whole = true;
  Upstream upstream([&](Turn& turn) {
    turn.body();
    whole = turn.body_whole();
    turn.close();
  });
  Proxy proxy(upstream);
  Client client(proxy);
  client.send("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\nea60\r\n" + pattern(60'000) + "\r\n");
  REQUIRE(eventually([&] { return upstream.requests() == 1; }));
  client.send("4\r\nabcdef\r\n0\r\n\r\n");
  const Reply reply = client.receive();
  CHECK(reply.status == 400);
  CHECK(reply.field("Connection") == "close");
  CHECK(eventually([&] { return !whole; }));
  CHECK(proxy.accounts_balance());
}

}  // namespace
}  // namespace spillway::test
