#include <doctest/doctest.h>

#include "tests/unit/http1/rows.hpp"

using namespace std::string_literals;
using namespace spillway::http;
using namespace spillway::http::rows;

namespace {

std::string status(const std::string& line) {
  return lines(line, "Content-Length: 0");
}

}  // namespace

TEST_CASE("a status line is a version, a status of three digits and a reason") {
  run_responses({
      {"9112 4: as it should be", status("HTTP/1.1 200 OK"), kSound, "HTTP/1.1 200 OK\r\n"},
      {"9112 4: 1.0", status("HTTP/1.0 200 OK"), kSound, "minor=0"},
      {"9112 4: 1.0 is answered as 1.1", status("HTTP/1.0 200 OK"), kSound, "HTTP/1.1 200 OK\r\n"},
      {"9112 4: reason of many words", status("HTTP/1.1 404 Not  Found (really)"), kSound,
       "404 Not  Found (really)\r\n"},
      {"9112 4: empty reason", status("HTTP/1.1 200 "), kSound, "HTTP/1.1 200 \r\n"},
      {"9112 4: no reason and no space", status("HTTP/1.1 200"), kSound, "HTTP/1.1 200 \r\n"},
      {"9112 4: reason beyond ASCII", status("HTTP/1.1 200 D\xe9j\xe0"), kSound, "200 D\xe9j\xe0\r\n"},
      {"9112 4: tab in the reason", status("HTTP/1.1 200 a\tb"), kSound, "200 a\tb\r\n"},
      {"9112 4: reason that looks like a field", status("HTTP/1.1 200 X: y"), kSound, "200 X: y\r\n"},
      {"9110 15: lowest status of an answer", status("HTTP/1.1 200 a"), kSound, "status=200;"},
      {"9110 15: highest", status("HTTP/1.1 599 a"), kSound, "HTTP/1.1 599 a\r\n"},
      {"9110 15: unknown, by its class", status("HTTP/1.1 471 a"), kSound, "status=471;"},
      {"9110 15: lowest of all", lines("HTTP/1.1 100 Continue"), kSound, "HTTP/1.1 100 Continue\r\n"},
      {"9110 15: 099", status("HTTP/1.1 099 a"), 502},
      {"9110 15: 600", status("HTTP/1.1 600 a"), 502},
      {"9110 15: 999", status("HTTP/1.1 999 a"), 502},
      {"9110 15: 000", status("HTTP/1.1 000 a"), 502},
      {"9112 4: one digit", status("HTTP/1.1 2 OK"), 502},
      {"9112 4: two digits", status("HTTP/1.1 20 OK"), 502},
      {"9112 4: four digits", status("HTTP/1.1 2000 OK"), 502},
      {"9112 4: one digit and no reason", status("HTTP/1.1 2"), 502},
      {"9112 4: negative", status("HTTP/1.1 -20 OK"), 502},
      {"9112 4: plus", status("HTTP/1.1 +20 OK"), 502},
      {"9112 4: letters", status("HTTP/1.1 abc OK"), 502},
      {"9112 4: a letter behind", status("HTTP/1.1 200a OK"), 502},
      {"9112 4: fraction", status("HTTP/1.1 20.0 OK"), 502},
      {"9112 4: hexadecimal", status("HTTP/1.1 0xc8 OK"), 502},
      {"9112 4: tab behind the status", status("HTTP/1.1 200\tOK"), 502},
      {"9112 4: tab behind the version", status("HTTP/1.1\t200 OK"), 502},
      {"9112 4: two spaces behind the version", status("HTTP/1.1  200 OK"), 502},
      {"9112 4: two spaces behind the status belong to the reason", status("HTTP/1.1 200  OK"), kSound, "200  OK\r\n"},
      {"9112 4: no status", status("HTTP/1.1 OK"), 502},
      {"9112 4: only a version", status("HTTP/1.1"), 502},
      {"9112 4: version and a space", status("HTTP/1.1 "), 502},
      {"9112 4: white space in front", status(" HTTP/1.1 200 OK"), 502},
      {"9112 4: empty line in front", "\r\n" + ok("Content-Length: 0"), 502},
      {"9112 4: bare LF in front", "\n" + ok("Content-Length: 0"), 502},
      {"9112 2.3: 2.0", status("HTTP/2.0 200 OK"), 502},
      {"9112 2.3: 2", status("HTTP/2 200"), 502},
      {"9112 2.3: 0.9", status("HTTP/0.9 200 OK"), 502},
      {"9112 2.3: 1.2", status("HTTP/1.2 200 OK"), 502},
      {"9112 2.3: lower case", status("http/1.1 200 OK"), 502},
      {"9112 2.3: RTSP", status("RTSP/1.0 200 OK"), 502},
      {"9112 2.3: ICE", status("ICY 200 OK"), 502},
      {"9112 2.3: two digits", status("HTTP/1.10 200 OK"), 502},
      {"9112 2.3: a body without a head", "<html>hello</html>\r\n\r\n", 502},
      {"9112 3: a request", get(), 502},
      {"9112 2.2: ended by LF alone", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", 502},
      {"9112 2.2: ended by CR alone", "HTTP/1.1 200 OK\rContent-Length: 0\r\n\r\n", 502},
      {"9112 2.2: CR in the reason", status("HTTP/1.1 200 O\rK"), 502},
      {"9112 4: NUL in the reason", status("HTTP/1.1 200 O\0K"s), 502},
      {"9112 4: DEL in the reason", status("HTTP/1.1 200 O\x7fK"), 502},
      {"9112 4: ESC in the reason", status("HTTP/1.1 200 \x1b[2J"), 502},
      {"9112 4: not finished", "HTTP/1.1 200 OK\r\nX: y\r\n", kUnfinished},
  });
}

TEST_CASE("a response's fields are as strict as a request's") {
  run_responses({
      {"9112 5: fields pass in order", ok("B: 1", "A: 2"), kSound, "B: 1\r\nA: 2\r\n"},
      {"9112 5: white space around a value", ok("X: \t y \t"), kSound, "X: y\r\n"},
      {"9112 5: empty value", ok("X:"), kSound, "X: \r\n"},
      {"9110 5.5: byte beyond ASCII", ok("X: \xe9"), kSound, "X: \xe9\r\n"},
      {"9110 5.1: underscore, as the API means it", ok("X_Y: 1"), kSound, "X_Y: 1\r\n"},
      {"9110 10.2.4: Server stays", ok("Server: api/1"), kSound, "Server: api/1\r\n"},
      {"9110 6.6.1: Date stays", ok("Date: Tue, 15 Nov 1994 08:12:31 GMT"), kSound,
       "Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n"},
      {"6265 3: each Set-Cookie stays", ok("Set-Cookie: a=1", "Set-Cookie: b=2"), kSound,
       "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n"},
      {"9112 5.2: fold", ok("X: a", " b"), 502},
      {"9112 5.2: fold with a tab", ok("X: a", "\tb"), 502},
      {"9112 5.2: fold before the first field", ok(" X: a"), 502},
      {"9112 5.1: space before the colon", ok("X : a"), 502},
      {"9112 5.1: space before the colon of Content-Length", ok("Content-Length : 5"), 502},
      {"9112 5: empty name", ok(": a"), 502},
      {"9112 5: no colon", ok("Xa"), 502},
      {"9110 5.6.2: name that is no token", ok("X(: a"), 502},
      {"9110 5.6.2: space in a name", ok("X y: a"), 502},
      {"9110 5.6.2: byte beyond ASCII in a name", ok("X\xe9: a"), 502},
      {"9110 5.5: NUL in a value", ok("X: a\0b"s), 502},
      {"9110 5.5: vertical tab in a value", ok("X: a\vb"), 502},
      {"9110 5.5: DEL in a value", ok("X: a\x7f"), 502},
      {"9112 2.2: bare LF", ok("X: a\nY: b"), 502},
      {"9112 2.2: bare CR", ok("X: a\rY: b"), 502},
      {"9112 2.2: CR CR LF", ok("X: a\r"), 502},
      {"9112 2.2: bare LF for the empty line", "HTTP/1.1 200 OK\r\nX: a\r\n\n", 502},
  });
}

TEST_CASE("a response has one framing") {
  run_responses({
      {"9112 6.3: length", ok("Content-Length: 5"), kSound, "Content-Length: 5\r\n"},
      {"9112 6.3: length of zero", ok("Content-Length: 0"), kSound, "body=0;"},
      {"9112 6.3: leading zeros are not passed on", ok("Content-Length: 005"), kSound, "Content-Length: 5\r\n"},
      {"9112 6.3: chunked", ok("Transfer-Encoding: chunked"), kSound, "body=chunked"},
      {"9112 7: in any case", ok("transfer-encoding: CHUNKED"), kSound, "Transfer-Encoding: chunked\r\n"},
      {"9112 6.3: neither", ok(), kSound, "body=close; reuse=no"},
      {"9112 6.3: neither, in 1.0", lines("HTTP/1.0 200 OK"), kSound, "body=close; reuse=no"},
      {"9112 6.3: neither, kept alive in 1.0", lines("HTTP/1.0 200 OK", "Connection: keep-alive"), kSound,
       "body=close; reuse=no"},
      {"9112 6.3: neither, chunked by us", ok(), kSound, "Transfer-Encoding: chunked\r\n"},
      {"9112 6.3: both", ok("Content-Length: 5", "Transfer-Encoding: chunked"), 502},
      {"9112 6.3: both the other way", ok("Transfer-Encoding: chunked", "Content-Length: 5"), 502},
      {"9112 6.3: both in 1.0", lines("HTTP/1.0 200 OK", "Transfer-Encoding: chunked", "Content-Length: 5"), 502},
      {"9112 6.3: two lengths", ok("Content-Length: 5", "Content-Length: 6"), 502},
      {"9112 6.3: two lengths alike", ok("Content-Length: 5", "Content-Length: 5"), 502},
      {"9112 6.3: list of lengths", ok("Content-Length: 5, 5"), 502},
      {"9110 8.6: empty length", ok("Content-Length:"), 502},
      {"9110 8.6: negative", ok("Content-Length: -5"), 502},
      {"9110 8.6: plus", ok("Content-Length: +5"), 502},
      {"9110 8.6: hexadecimal", ok("Content-Length: 0x5"), 502},
      {"9110 8.6: letters", ok("Content-Length: five"), 502},
      {"9110 8.6: beyond 64 bits", ok("Content-Length: 18446744073709551621"), 502},
      {"9110 8.6: two words", ok("Content-Length: 5 5"), 502},
      {"9112 6.1: chunked in 1.0", lines("HTTP/1.0 200 OK", "Transfer-Encoding: chunked"), 502},
      {"9112 6.1: chunked twice", ok("Transfer-Encoding: chunked, chunked"), 502},
      {"9112 6.1: chunked in two fields", ok("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 502},
      {"9112 6.1: gzip", ok("Transfer-Encoding: gzip"), 502},
      {"9112 6.1: gzip, chunked", ok("Transfer-Encoding: gzip, chunked"), 502},
      {"9112 6.1: chunked, gzip", ok("Transfer-Encoding: chunked, gzip"), 502},
      {"9112 6.1: identity", ok("Transfer-Encoding: identity"), 502},
      {"9112 6.1: empty", ok("Transfer-Encoding:"), 502},
      {"9110 5.6.1: comma in front", ok("Transfer-Encoding: ,chunked"), 502},
      {"9112 7: parameter", ok("Transfer-Encoding: chunked;q=1"), 502},
      {"9112 5.1: space before the colon", ok("Transfer-Encoding : chunked"), 502},
  });
}

TEST_CASE("some responses have no body, whatever their fields say") {
  const auto head = [](const std::string& bytes, const std::string& has, const std::string& lacks) {
    return Row{"9112 6.3: HEAD", bytes, kSound, has, lacks, HeadLimits{}, true};
  };
  run_responses({
      {"9110 15.3.5: 204", lines("HTTP/1.1 204 No Content"), kSound, "body=none; reuse=yes", "transfer-encoding"},
      {"9110 8.6: 204 with a length", lines("HTTP/1.1 204 No Content", "Content-Length: 5"), kSound,
       "body=none; reuse=yes", "content-length"},
      {"9112 6.1: 204 chunked", lines("HTTP/1.1 204 No Content", "Transfer-Encoding: chunked"), kSound, "body=none",
       "transfer-encoding"},
      {"9110 15.4.5: 304", lines("HTTP/1.1 304 Not Modified", "ETag: \"a\""), kSound, "body=none; reuse=yes",
       "transfer-encoding"},
      {"9110 8.6: 304 says what a 200 would", lines("HTTP/1.1 304 Not Modified", "Content-Length: 5"), kSound,
       "Content-Length: 5\r\n"},
      {"9112 6.3: and has no body", lines("HTTP/1.1 304 Not Modified", "Content-Length: 5"), kSound,
       "body=none; reuse=yes"},
      {"9112 6.3: 304 chunked", lines("HTTP/1.1 304 Not Modified", "Transfer-Encoding: chunked"), kSound,
       "body=none; reuse=yes", "transfer-encoding"},
      {"9112 6.3: 304 with a bad length", lines("HTTP/1.1 304 Not Modified", "Content-Length: x"), 502},
      {"9112 6.3: 304 with both", lines("HTTP/1.1 304 Not Modified", "Content-Length: 5", "Transfer-Encoding: chunked"),
       502},
      {"9112 6.3: 204 with two lengths", lines("HTTP/1.1 204 a", "Content-Length: 5", "Content-Length: 5"), 502},
      {"9110 15.3.6: 205 is framed as any other", lines("HTTP/1.1 205 Reset Content", "Content-Length: 0"), kSound,
       "Content-Length: 0\r\n"},
      head(ok("Content-Length: 5"), "Content-Length: 5\r\n", "body=5"),
      head(ok("Content-Length: 5"), "body=none; reuse=yes", "transfer-encoding"),
      head(ok("Transfer-Encoding: chunked"), "body=none; reuse=yes", "transfer-encoding"),
      head(ok(), "body=none; reuse=yes", "content-length"),
      head(lines("HTTP/1.1 204 No Content", "Content-Length: 5"), "body=none; reuse=yes", "content-length"),
      {"9112 6.3: HEAD with a bad length", ok("Content-Length: x"), 502, "", "", HeadLimits{}, true},
      {"9112 6.3: HEAD with both", ok("Content-Length: 5", "Transfer-Encoding: chunked"), 502, "", "", HeadLimits{},
       true},
  });
}

TEST_CASE("interim responses pass; a switch of protocols passes only to websocket") {
  run_responses({
      {"9110 15.2.1: 100", lines("HTTP/1.1 100 Continue"), kSound, "HTTP/1.1 100 Continue\r\n", "transfer-encoding"},
      {"9110 15.2: has no body", lines("HTTP/1.1 100 Continue"), kSound, "body=none; reuse=yes"},
      {"9110 8.6: 100 with a length", lines("HTTP/1.1 100 Continue", "Content-Length: 5"), kSound, "body=none",
       "content-length"},
      {"9112 6.1: 100 chunked", lines("HTTP/1.1 100 Continue", "Transfer-Encoding: chunked"), kSound, "body=none",
       "transfer-encoding"},
      {"2518 10.1: 102", lines("HTTP/1.1 102 Processing"), kSound, "HTTP/1.1 102 Processing\r\n"},
      {"8297 2: 103 with its links", lines("HTTP/1.1 103 Early Hints", "Link: </a>"), kSound, "Link: </a>\r\n"},
      {"9110 15.2: unknown", lines("HTTP/1.1 199 a"), kSound, "body=none"},
      {"9110 15.2.2: 101 to websocket", lines("HTTP/1.1 101 a", "Connection: Upgrade", "Upgrade: websocket"), kSound,
       "Connection: Upgrade\r\nUpgrade: websocket\r\n"},
      {"6455 4.1: in any case", lines("HTTP/1.1 101 a", "connection: upgrade", "upgrade: WebSocket"), kSound,
       "reuse=no; ws=yes"},
      {"6455 4.2.2: its other fields stay",
       lines("HTTP/1.1 101 a", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Accept: a"), kSound,
       "Sec-WebSocket-Accept: a\r\n"},
      {"9110 15.2.2: 101 to nothing", lines("HTTP/1.1 101 a"), 502},
      {"9110 15.2.2: 101 not named by Connection", lines("HTTP/1.1 101 a", "Upgrade: websocket"), 502},
      {"9110 15.2.2: 101 without Upgrade", lines("HTTP/1.1 101 a", "Connection: Upgrade"), 502},
      {"9110 15.2.2: 101 to h2c", lines("HTTP/1.1 101 a", "Connection: Upgrade", "Upgrade: h2c"), 502},
      {"9110 15.2.2: 101 to two", lines("HTTP/1.1 101 a", "Connection: Upgrade", "Upgrade: websocket, h2c"), 502},
      {"9110 7.8: 200 that offers an upgrade", ok("Connection: Upgrade", "Upgrade: h2c", "Content-Length: 0"), kSound,
       "reuse=yes; ws=no", "upgrade"},
      {"9110 15.5.22: 426 that asks for one",
       lines("HTTP/1.1 426 a", "Connection: Upgrade", "Upgrade: websocket", "Content-Length: 0"), kSound, "ws=no",
       "upgrade"},
  });
}

TEST_CASE("hop-by-hop fields of the API and the load report are not forwarded") {
  const std::string empty = "Content-Length: 0";
  run_responses({
      {"9112 9.3: 1.1 stays open", ok(empty), kSound, "reuse=yes", "\r\nconnection"},
      {"9112 9.6: close", ok(empty, "Connection: close"), kSound, "reuse=no", "\r\nconnection"},
      {"9112 9.6: close in any case", ok(empty, "connection: CLOSE"), kSound, "reuse=no"},
      {"9112 9.6: a tab behind close", ok(empty, "Connection: close\t"), kSound, "reuse=no"},
      {"9112 9.6: close among others", ok(empty, "Connection: x, close"), kSound, "reuse=no"},
      {"9112 9.3: 1.0 closes", lines("HTTP/1.0 200 OK", empty), kSound, "reuse=no"},
      {"9112 9.3: 1.0 with keep-alive", lines("HTTP/1.0 200 OK", empty, "Connection: keep-alive"), kSound, "reuse=yes",
       "\r\nconnection"},
      {"9110 7.6.1: Keep-Alive", ok(empty, "Keep-Alive: timeout=5"), kSound, "", "keep-alive"},
      {"9110 7.6.1: Proxy-Connection", ok(empty, "Proxy-Connection: close"), kSound, "reuse=yes", "proxy-connection"},
      {"9110 11.7.1: Proxy-Authenticate", ok(empty, "Proxy-Authenticate: Basic"), kSound, "", "proxy-auth"},
      {"9110 6.6.2: Trailer", ok("Transfer-Encoding: chunked", "Trailer: X"), kSound, "", "trailer"},
      {"9110 10.1.4: TE", ok(empty, "TE: trailers"), kSound, "", "\r\nte:"},
      {"9110 7.6.1: named by Connection", ok(empty, "Connection: x-a", "X-A: 1"), kSound, "", "x-a"},
      {"9110 7.6.1: named beside close", ok(empty, "X-A: 1", "Connection: close, X-A"), kSound, "reuse=no", "x-a"},
      {"9110 7.6.1: Content-Length named", ok(empty, "Connection: content-length"), 502},
      {"9110 7.6.1: Transfer-Encoding named", ok("Transfer-Encoding: chunked", "Connection: transfer-encoding"), 502},
      {"9110 7.6.1: an option that is no token", ok(empty, "Connection: a b"), 502},
      {"9110 7.6.1: options without end", ok(empty, "Connection: " + times(40, "x,")), 502},
      {"9110 7.6.3: Via", ok(empty), kSound, "\r\nVia: 1.1 spillway\r\n"},
      {"9110 7.6.3: Via of 1.0", lines("HTTP/1.0 200 OK", empty), kSound, "\r\nVia: 1.0 spillway\r\n"},
      {"9110 7.6.3: Via appended", ok(empty, "Via: 1.1 a", "Via: 1.1 b"), kSound,
       "\r\nVia: 1.1 a, 1.1 b, 1.1 spillway\r\n"},
      {"contract: load report", ok(empty, "Endpoint-Load-Metrics: TEXT a=1"), kSound, "load=TEXT a=1;",
       "endpoint-load"},
      {"contract: load report in any case", ok(empty, "endpoint-load-metrics: TEXT a=1"), kSound, "load=TEXT a=1;",
       "endpoint-load"},
      {"contract: first of two load reports", ok("Endpoint-Load-Metrics: a", "Endpoint-Load-Metrics: b", empty), kSound,
       "load=a;", "endpoint-load"},
      {"contract: none", ok(empty), kSound, "load=;"},
      {"contract: X-Request-ID of the API", ok(empty, "X-Request-ID: a"), kSound, "X-Request-ID: a\r\n"},
  });
}
