#include <doctest/doctest.h>

#include "tests/unit/http1/rows.hpp"

using namespace std::string_literals;
using namespace spillway::http::rows;

namespace {

std::string connection(const std::string& value) {
  return get("Connection: " + value);
}
template <class... Line>
std::string old(const Line&... line) {
  return lines("GET / HTTP/1.0", line...);
}
template <class... Line>
std::string websocket(const Line&... line) {
  return get("Connection: Upgrade", "Upgrade: websocket", line...);
}

}  // namespace

TEST_CASE("a connection is kept or closed as version and Connection say") {
  run_requests({
      {"9112 9.3: 1.1 stays open", get(), kSound, "reuse=yes"},
      {"9112 9.3: 1.1 with keep-alive", connection("keep-alive"), kSound, "reuse=yes", "\r\nconnection:"},
      {"9112 9.6: close", connection("close"), kSound, "reuse=no", "\r\nconnection:"},
      {"9112 9.6: close in any case", connection("ClOsE"), kSound, "reuse=no"},
      {"9112 9.6: a tab behind close", connection("close\t"), kSound, "reuse=no"},
      {"9112 9.6: a tab before close", connection("\tclose"), kSound, "reuse=no"},
      {"9112 9.6: close behind another", connection("x, close"), kSound, "reuse=no"},
      {"9112 9.6: close before another", connection("close, x"), kSound, "reuse=no"},
      {"9112 9.6: close in a second field", get("Connection: x", "Connection: close"), kSound, "reuse=no"},
      {"9112 9.6: close and keep-alive", connection("close, keep-alive"), kSound, "reuse=no"},
      {"9112 9.6: keep-alive and close", connection("keep-alive, close"), kSound, "reuse=no"},
      {"9112 9.6: no spaces in the list", connection("keep-alive,close"), kSound, "reuse=no"},
      {"9110 5.6.1: empty elements", connection(", ,,close, ,"), kSound, "reuse=no"},
      {"9110 5.6.1: only empty elements", connection(", ,"), kSound, "reuse=yes"},
      {"9110 7.6.1: empty", connection(""), kSound, "reuse=yes"},
      {"9112 9.6: an option that begins alike", connection("closed"), kSound, "reuse=yes"},
      {"9112 9.3: 1.0 closes", old(), kSound, "reuse=no"},
      {"9112 9.3: 1.0 with keep-alive", old("Connection: keep-alive"), kSound, "reuse=yes"},
      {"9112 9.3: 1.0 with keep-alive in any case", old("Connection: Keep-Alive"), kSound, "reuse=yes"},
      {"9112 9.3: 1.0 with both", old("Connection: keep-alive, close"), kSound, "reuse=no"},
      {"9112 9.3: 1.0 with close", old("Connection: close"), kSound, "reuse=no"},
      {"9112 C.2.2: Proxy-Connection is not obeyed", old("Proxy-Connection: keep-alive"), kSound, "reuse=no",
       "proxy-connection"},
      {"9112 C.2.2: nor in 1.1", get("Proxy-Connection: close"), kSound, "reuse=yes", "proxy-connection"},
      {"9110 7.6.1: two words", connection("keep alive"), 400},
      {"9110 7.6.1: parameter", connection("close;q=1"), 400},
      {"9110 7.6.1: value", connection("timeout=5"), 400},
      {"9110 7.6.1: quotes", connection("\"close\""), 400},
      {"9110 7.6.1: byte beyond ASCII", connection("clos\xe9"), 400},
      {"9110 7.6.1: NUL", connection("close\0"s), 400},
      {"9110 7.6.1: at most 32 options", connection(times(31, "x, ") + "close"), kSound, "reuse=no"},
      {"9110 7.6.1: 33 options", connection(times(33, "x, ")), 400},
      {"9110 7.6.1: 33 options in many fields", get(times(33, "Connection: x\r\n") + "X: y"), 400},
  });
}

TEST_CASE("a field that Connection names is not forwarded; naming a framing field is refused") {
  run_requests({
      {"9110 7.6.1: a field", get("Connection: x-a", "X-A: 1", "X-B: 2"), kSound, "X-B: 2\r\n", "x-a"},
      {"9110 7.6.1: in any case", get("Connection: X-a", "x-A: 1"), kSound, "", "x-a"},
      {"9110 7.6.1: every one of that name", get("X-A: 1", "Connection: x-a", "X-A: 2"), kSound, "", "x-a"},
      {"9110 7.6.1: before Connection", get("X-A: 1", "Connection: x-a"), kSound, "", "x-a"},
      {"9110 7.6.1: two", get("Connection: x-a, x-b", "X-A: 1", "X-B: 2"), kSound, "", "x-b"},
      {"9110 7.6.1: in two fields", get("Connection: x-a", "Connection: x-b", "X-A: 1", "X-B: 2"), kSound, "", "x-b"},
      {"9110 7.6.1: beside keep-alive", get("Connection: keep-alive, x-a", "X-A: 1"), kSound, "reuse=yes", "x-a"},
      {"9110 7.6.1: not one that begins alike", get("Connection: x-a", "X-AB: 1"), kSound, "X-AB: 1\r\n"},
      {"9110 7.6.1: a field that is not there", get("Connection: x-a"), kSound, "GET / HTTP/1.1\r\n", "x-a"},
      {"9110 7.6.1: Authorization", get("Connection: authorization", "Authorization: a"), kSound, "", "authorization"},
      {"9110 7.6.1: Cookie", get("Connection: cookie", "Cookie: a"), kSound, "", "cookie"},
      {"9110 7.6.1: X-Forwarded-For is ours anyhow", get("Connection: x-forwarded-for"), kSound,
       "X-Forwarded-For: 192.0.2.7\r\n"},
      {"9110 7.6.1: X-Request-ID is ours anyhow", get("Connection: x-request-id", "X-Request-ID: a"), kSound,
       "X-Request-ID: id-1\r\n"},
      {"9110 7.6.3: Via is ours anyhow", get("Connection: via", "Via: 1.1 a"), kSound, "Via: 1.1 spillway\r\n"},
      {"9110 7.6.2: Max-Forwards",
       lines("OPTIONS / HTTP/1.1", "Host: a", "Connection: max-forwards", "Max-Forwards: 3"), kSound,
       "Max-Forwards: 2\r\n"},
      {"7540 3.2.1: HTTP2-Settings", get("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMA"),
       kSound, "ws=no", "http2"},
      {"9110 7.6.1: Host", connection("host"), 400},
      {"9110 7.6.1: Host in any case", connection("HOST"), 400},
      {"9110 7.6.1: Host beside close", connection("close, host"), 400},
      {"9110 7.6.1: Content-Length", post("Connection: content-length", "Content-Length: 5"), 400},
      {"9110 7.6.1: Content-Length that is not there", connection("Content-Length"), 400},
      {"9110 7.6.1: Transfer-Encoding", post("Connection: transfer-encoding", "Transfer-Encoding: chunked"), 400},
      {"9110 7.6.1: Transfer-Encoding in a second field", get("Connection: close", "Connection: Transfer-Encoding"),
       400},
      {"9110 7.6.1: Host in 1.0", old("Connection: host"), 400},
  });
}

TEST_CASE("hop-by-hop fields are not forwarded") {
  run_requests({
      {"9110 7.6.1: Connection", connection("keep-alive"), kSound, "", "\r\nconnection"},
      {"9110 7.6.1: Keep-Alive", get("Keep-Alive: timeout=5"), kSound, "", "keep-alive"},
      {"9110 7.6.1: Proxy-Connection", get("Proxy-Connection: keep-alive"), kSound, "", "proxy-connection"},
      {"9110 7.6.1: TE", get("TE: trailers"), kSound, "", "\r\nte:"},
      {"9110 10.1.4: TE, named as it should be", get("Connection: TE", "TE: trailers"), kSound, "", "\r\nte:"},
      {"9110 6.6.2: Trailer", get("Trailer: X"), kSound, "", "trailer"},
      {"9110 7.6.1: Upgrade", get("Upgrade: h2c"), kSound, "", "upgrade"},
      {"9110 11.7.2: Proxy-Authorization", get("Proxy-Authorization: Basic a"), kSound, "", "proxy-auth"},
      {"9110 11.7.1: Proxy-Authenticate", get("Proxy-Authenticate: Basic"), kSound, "", "proxy-auth"},
      {"7540 3.2.1: HTTP2-Settings", get("HTTP2-Settings: AAMA"), kSound, "", "http2"},
      {"9110 11.6.2: Authorization stays", get("Authorization: Bearer a"), kSound, "Authorization: Bearer a\r\n"},
      {"9110 5.1: names that begin alike stay", get("TEA: 1", "Trailers: 2"), kSound, "TEA: 1\r\nTrailers: 2\r\n"},
  });
}

TEST_CASE("an upgrade to websocket is forwarded, any other is not") {
  run_requests({
      {"6455 4.1: as it should be", websocket(), kSound, "ws=yes"},
      {"9110 7.8: written anew", websocket(), kSound, "Connection: Upgrade\r\nUpgrade: websocket\r\n"},
      {"6455 4.1: its other fields stay", websocket("Sec-WebSocket-Key: a"), kSound, "Sec-WebSocket-Key: a\r\n"},
      {"6455 4.2.1: in any case", get("connection: uPgrade", "upgrade: WebSocket"), kSound, "ws=yes"},
      {"6455 4.2.1: among other options", get("Connection: keep-alive, Upgrade", "Upgrade: websocket"), kSound,
       "ws=yes"},
      {"9110 7.8: not named by Connection", get("Upgrade: websocket"), kSound, "ws=no", "upgrade"},
      {"9110 7.8: named by Connection, but missing", connection("Upgrade"), kSound, "ws=no", "upgrade"},
      {"9110 7.8: h2c", get("Connection: Upgrade", "Upgrade: h2c"), kSound, "ws=no", "h2c"},
      {"9110 7.8: TLS", get("Connection: Upgrade", "Upgrade: TLS/1.0"), kSound, "ws=no", "upgrade"},
      {"9110 7.8: list", get("Connection: Upgrade", "Upgrade: h2c, websocket"), kSound, "ws=no", "upgrade"},
      {"9110 7.8: two fields", websocket("Upgrade: h2c"), kSound, "ws=no", "upgrade"},
      {"9110 7.8: version", get("Connection: Upgrade", "Upgrade: websocket/13"), kSound, "ws=no", "upgrade"},
      {"9110 7.8: empty", get("Connection: Upgrade", "Upgrade:"), kSound, "ws=no", "upgrade"},
      {"6455 4.1: not with POST", post("Connection: Upgrade", "Upgrade: websocket"), kSound, "ws=no", "upgrade"},
      {"6455 4.1: not with HEAD", lines("HEAD / HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: websocket"),
       kSound, "ws=no", "upgrade"},
      {"9110 7.8: not in 1.0", old("Host: a", "Connection: Upgrade", "Upgrade: websocket"), kSound, "ws=no", "upgrade"},
      {"9110 7.8: not with a body", websocket("Content-Length: 5"), kSound, "ws=no", "upgrade"},
      {"9110 7.8: not with a chunked body", websocket("Transfer-Encoding: chunked"), kSound, "ws=no", "upgrade"},
      {"9110 7.8: h2c does not stop the body", post("Connection: Upgrade", "Upgrade: h2c", "Content-Length: 5"), kSound,
       "body=5;"},
  });
}

TEST_CASE("Expect: 100-continue is handled by the proxy, and any other expectation is refused") {
  run_requests({
      {"9110 10.1.1: with a body", post("Expect: 100-continue", "Content-Length: 5"), kSound, "expect=yes",
       "\r\nexpect:"},
      {"9110 10.1.1: with a chunked body", post("Expect: 100-continue", "Transfer-Encoding: chunked"), kSound,
       "expect=yes"},
      {"9110 10.1.1: in any case", post("Expect: 100-Continue", "Content-Length: 5"), kSound, "expect=yes"},
      {"9110 10.1.1: twice", post("Expect: 100-continue", "Expect: 100-continue", "Content-Length: 5"), kSound,
       "expect=yes"},
      {"9110 10.1.1: without a body", get("Expect: 100-continue"), kSound, "expect=no", "\r\nexpect:"},
      {"9110 10.1.1: with an empty body", post("Expect: 100-continue", "Content-Length: 0"), kSound, "expect=no"},
      {"9110 10.1.1: in 1.0", lines("POST / HTTP/1.0", "Expect: 100-continue", "Content-Length: 5"), kSound,
       "expect=no", "\r\nexpect:"},
      {"9110 10.1.1: another in 1.0", lines("POST / HTTP/1.0", "Expect: cake", "Content-Length: 5"), kSound,
       "expect=no", "\r\nexpect:"},
      {"9110 10.1.1: another", post("Expect: cake", "Content-Length: 5"), 417},
      {"9110 10.1.1: another without a body", get("Expect: cake"), 417},
      {"9110 10.1.1: empty", post("Expect:", "Content-Length: 5"), 417},
      {"9110 10.1.1: list", post("Expect: 100-continue, cake", "Content-Length: 5"), 417},
      {"9110 10.1.1: list of the same", post("Expect: 100-continue, 100-continue", "Content-Length: 5"), 417},
      {"9110 10.1.1: another in a second field", post("Expect: 100-continue", "Expect: cake", "Content-Length: 5"),
       417},
      {"9110 10.1.1: something behind", post("Expect: 100-continued", "Content-Length: 5"), 417},
      {"9110 10.1.1: parameter", post("Expect: 100-continue;a=b", "Content-Length: 5"), 417},
      {"9110 10.1.1: 200-ok", post("Expect: 200-ok", "Content-Length: 5"), 417},
  });
}

TEST_CASE("Max-Forwards counts the hops of OPTIONS") {
  const auto options = [](const std::string& value) {
    return lines("OPTIONS / HTTP/1.1", "Host: a", "Max-Forwards: " + value);
  };
  run_requests({
      {"9110 7.6.2: one less", options("3"), kSound, "Max-Forwards: 2\r\n", "max-forwards: 3"},
      {"9110 7.6.2: the last hop", options("1"), kSound, "Max-Forwards: 0\r\n"},
      {"9110 7.6.2: none left", options("0"), kSound, "hops=0;"},
      {"9110 7.6.2: as a fact", options("7"), kSound, "hops=7;"},
      {"9110 7.6.2: leading zeros", options("007"), kSound, "Max-Forwards: 6\r\n"},
      {"9110 7.6.2: with *", lines("OPTIONS * HTTP/1.1", "Host: a", "Max-Forwards: 2"), kSound, "Max-Forwards: 1\r\n"},
      {"9110 7.6.2: none", lines("OPTIONS / HTTP/1.1", "Host: a"), kSound, "hops=none;", "max-forwards"},
      {"9110 7.6.2: too large to be true", options("1000"), 400},
      {"9110 7.6.2: negative", options("-1"), 400},
      {"9110 7.6.2: empty", options(""), 400},
      {"9110 7.6.2: letters", options("a"), 400},
      {"9110 7.6.2: list", options("1, 2"), 400},
      {"9110 7.6.2: two", lines("OPTIONS / HTTP/1.1", "Host: a", "Max-Forwards: 1", "Max-Forwards: 2"), 400},
      {"9110 7.6.2: other methods may ignore it", get("Max-Forwards: 0"), kSound, "Max-Forwards: 0\r\n"},
      {"9110 7.6.2: and what it holds", get("Max-Forwards: x"), kSound, "hops=none;"},
  });
}
