#include <doctest/doctest.h>

#include "tests/unit/http1/rows.hpp"

using namespace std::string_literals;
using namespace spillway::http::rows;

namespace {

std::string start(const std::string& line) {
  return lines(line, "Host: a");
}
std::string target(const std::string& text) {
  return start("GET " + text + " HTTP/1.1");
}

}  // namespace

TEST_CASE("a request line is three parts, separated by one space each, and CRLF") {
  run_requests({
      {"9112 3: as it should be", get(), kSound, "GET / HTTP/1.1\r\nHost: a\r\n"},
      {"9112 3: two spaces before the target", start("GET  / HTTP/1.1"), 400},
      {"9112 3: two spaces before the version", start("GET /  HTTP/1.1"), 400},
      {"9112 3: tab before the target", start("GET\t/ HTTP/1.1"), 400},
      {"9112 3: tab before the version", start("GET /\tHTTP/1.1"), 400},
      {"9112 3: vertical tab for a space", start("GET\v/ HTTP/1.1"), 400},
      {"9112 3: form feed for a space", start("GET /\fHTTP/1.1"), 400},
      {"9112 3: CR for a space", start("GET\r/ HTTP/1.1"), 400},
      {"9112 3: no-break space", start("GET\xc2\xa0/ HTTP/1.1"), 400},
      {"9112 3: space behind the version", start("GET / HTTP/1.1 "), 400},
      {"9112 3: tab behind the version", start("GET / HTTP/1.1\t"), 400},
      {"9112 3: space in front", start(" GET / HTTP/1.1"), 400},
      {"9112 3: tab in front", start("\tGET / HTTP/1.1"), 400},
      {"9112 3: a fourth part", start("GET / HTTP/1.1 x"), 400},
      {"9112 3: a space in the target", start("GET /a b HTTP/1.1"), 400},
      {"9112 3: no target", start("GET HTTP/1.1"), 400},
      {"9112 3: empty target", start("GET  HTTP/1.1"), 400},
      {"9112 3: no method", start("/ HTTP/1.1"), 400},
      {"9112 3: only a method", start("GET"), 400},
      {"9112 2.2: ended by LF alone", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
      {"9112 2.2: ended by CR alone", "GET / HTTP/1.1\rHost: a\r\n\r\n", 400},
      {"9112 2.2: ended by CR CR LF", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400},
      {"9112 2.2: ended by LF CR", "GET / HTTP/1.1\n\rHost: a\r\n\r\n", 400},
      {"9112 2.2: NUL in the line", "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"s, 400},
      {"9112 3: a white-space line behind it", "GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n", 400},
      {"9112 3: not finished", "GET / HTTP/1.1\r\nHost: a\r\n", kUnfinished},
      {"9112 3: not even begun", "GET", kUnfinished},
  });
}

TEST_CASE("a violation is found at the byte that causes it, not at the end of the head") {
  run_requests({
      {"9112 3: a method's first byte", "(", 400},
      {"9112 3: behind a method", "GET(", 400},
      {"9112 3: a target's first byte", "GET  ", 400},
      {"9112 3: in a target", "GET /\x80", 400},
      {"9112 3: a version's first byte", "GET /  ", 400},
      {"9112 3: behind a version", "GET / HTTP/1.1 ", 400},
      {"9112 2.2: LF behind a version", "GET / HTTP/1.1\n", 400},
      {"9112 2.2: CR behind a version", "GET / HTTP/1.1\rx", 400},
      {"9112 2.2: CR first", "\rx", 400},
      {"9112 5.2: white space at the begin of a line", "GET / HTTP/1.1\r\n ", 400},
      {"9110 5.5: control byte in a field", "GET / HTTP/1.1\r\nX: \x01", 400},
      {"9112 2.2: LF in a field", "GET / HTTP/1.1\r\nX\n", 400},
      {"9112 2.2: CR in a field", "GET / HTTP/1.1\r\nX: \rx", 400},
      {"9112 2.2: CR at the end", "GET / HTTP/1.1\r\n\rx", 400},
  });
}

TEST_CASE("a few empty lines before a request line are skipped") {
  run_requests({
      {"9112 2.2: one", "\r\n" + get(), kSound, "GET / HTTP/1.1\r\n"},
      {"9112 2.2: two", "\r\n\r\n" + get(), kSound, "GET / HTTP/1.1\r\n"},
      {"9112 2.2: three", "\r\n\r\n\r\n" + get(), 400},
      {"9112 2.2: ended by LF alone", "\n" + get(), 400},
      {"9112 2.2: LF CR CR", "\n\r\r" + get(), 400},
      {"9112 2.2: CR alone", "\r" + get(), 400},
      {"9112 2.2: CR CR LF", "\r\r\n" + get(), 400},
      {"9112 2.2: a line of a space", " \r\n" + get(), 400},
      {"9112 2.2: a line of a NUL", std::string(1, '\0') + "\r\n" + get(), 400},
      {"9112 2.2: nothing behind them yet", "\r\n\r\n", kUnfinished},
  });
}

TEST_CASE("a method is a case-sensitive token that the parser knows") {
  run_requests({
      {"9110 9.3.1: GET", start("GET / HTTP/1.1"), kSound, "idempotent=yes; head=no"},
      {"9110 9.3.2: HEAD", start("HEAD / HTTP/1.1"), kSound, "idempotent=yes; head=yes"},
      {"9110 9.3.3: POST", start("POST / HTTP/1.1"), kSound, "idempotent=no"},
      {"9110 9.3.4: PUT", start("PUT / HTTP/1.1"), kSound, "idempotent=yes"},
      {"9110 9.3.5: DELETE", start("DELETE / HTTP/1.1"), kSound, "idempotent=yes"},
      {"9110 9.3.7: OPTIONS", start("OPTIONS / HTTP/1.1"), kSound, "idempotent=yes"},
      {"5789 2: PATCH", start("PATCH / HTTP/1.1"), kSound, "idempotent=no"},
      {"4918 9.1: PROPFIND", start("PROPFIND / HTTP/1.1"), kSound, "PROPFIND / HTTP/1.1\r\n"},
      {"5323 2: SEARCH", start("SEARCH / HTTP/1.1"), kSound, "SEARCH / HTTP/1.1\r\n"},
      {"3253 3.6: REPORT", start("REPORT / HTTP/1.1"), kSound, "REPORT / HTTP/1.1\r\n"},
      {"9110 9.1: a hyphen in a method", start("M-SEARCH / HTTP/1.1"), kSound, "M-SEARCH / HTTP/1.1\r\n"},
      {"9110 9.3.6: CONNECT", lines("CONNECT a:443 HTTP/1.1", "Host: a:443"), 405},
      {"9110 9.3.6: CONNECT of a path", start("CONNECT / HTTP/1.1"), 405},
      {"9110 9.3.8: TRACE", start("TRACE / HTTP/1.1"), 405},
      {"9110 9.3.8: TRACE in 1.0", start("TRACE / HTTP/1.0"), 405},
      {"9110 9.1: lower case", start("get / HTTP/1.1"), 501},
      {"9110 9.1: mixed case", start("Get / HTTP/1.1"), 501},
      {"9110 9.1: lower-case connect", start("connect / HTTP/1.1"), 501},
      {"9110 9.1: unknown", start("BREW / HTTP/1.1"), 501},
      {"9110 9.1: known with a letter more", start("GETS / HTTP/1.1"), 501},
      {"9110 9.1: known with a letter less", start("GE / HTTP/1.1"), 501},
      {"9110 9.1: one letter", start("G / HTTP/1.1"), 501},
      {"9110 9.1: digits", start("123 / HTTP/1.1"), 501},
      {"9110 9.1: every tchar is a token", start("!#$%&'*+-.^_`|~ / HTTP/1.1"), 501},
      {"9110 9.1: endless", start(times(300, "A") + " / HTTP/1.1"), 501},
      {"9110 9.1: a method of RTSP", start("DESCRIBE / HTTP/1.1"), 501},
      {"9110 9.1: a method of RTSP that begins as one of HTTP", start("PLAY / HTTP/1.1"), 501},
      {"9110 9.1: a method of RTSP", start("SETUP / HTTP/1.1"), 501},
      {"9113 3.4: PRI is reserved", start("PRI / HTTP/1.1"), 400},
      {"9110 9.1: comma", start("GET, / HTTP/1.1"), 400},
      {"9110 9.1: colon", start("GET: / HTTP/1.1"), 400},
      {"9110 9.1: parenthesis", start("GET() / HTTP/1.1"), 400},
      {"9110 9.1: quotes", start("\"GET\" / HTTP/1.1"), 400},
      {"9110 9.1: NUL", "GE\0T / HTTP/1.1\r\nHost: a\r\n\r\n"s, 400},
      {"9110 9.1: byte order mark", start("\xef\xbb\xbfGET / HTTP/1.1"), 400},
      {"9110 9.1: byte beyond ASCII", start("G\xc9T / HTTP/1.1"), 400},
      {"9112 3: a TLS greeting", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s, 400},
  });
}

TEST_CASE("with any method allowed, the rest of the head is checked as usual") {
  const auto any = [](std::string rule, std::string bytes, int verdict, std::string has = {}) {
    return Row{.rule = std::move(rule),
               .bytes = std::move(bytes),
               .verdict = verdict,
               .has = std::move(has),
               .limits = {.any_method = true}};
  };
  const auto query = [](const auto&... line) { return lines("QUERY /a?b HTTP/1.1", "Host: a", line...); };
  run_requests({
      any("9110 9.1: QUERY", query(), kSound, "QUERY /a?b HTTP/1.1\r\n"),
      any("9110 9.1: nothing is known of it", query(), kSound, "idempotent=no; head=no"),
      any("9110 9.1: QUERY with a body", query("Content-Length: 3"), kSound, "body=3; reuse=yes"),
      any("9110 9.1: QUERY with chunks", query("Transfer-Encoding: chunked"), kSound, "body=chunked"),
      any("9110 9.1: QUERY in 1.0", start("QUERY / HTTP/1.0"), kSound, "minor=0"),
      any("9110 9.1: absolute-form", lines("QUERY http://a/b HTTP/1.1", "Host: a"), kSound, "QUERY /b HTTP/1.1\r\n"),
      any("9110 9.1: known ones as ever", start("GET / HTTP/1.1"), kSound, "idempotent=yes; head=no"),
      any("9110 9.1: HEAD as ever", start("HEAD / HTTP/1.1"), kSound, "head=yes"),
      any("9110 9.1: lower case is another method", start("get / HTTP/1.1"), kSound, "idempotent=no"),
      any("9110 9.1: known with a letter more", start("GETS / HTTP/1.1"), kSound, "GETS / HTTP/1.1\r\n"),
      any("9110 9.1: known with a letter less", start("GE / HTTP/1.1"), kSound, "GE / HTTP/1.1\r\n"),
      any("9110 9.1: one letter", start("G / HTTP/1.1"), kSound, "G / HTTP/1.1\r\n"),
      any("9110 9.1: every tchar is a token", start("!#$%&'*+-.^_`|~ / HTTP/1.1"), kSound),
      any("9110 9.1: a method of RTSP", start("DESCRIBE / HTTP/1.1"), kSound, "DESCRIBE / HTTP/1.1\r\n"),
      any("9110 9.1: a method of RTSP that begins as one of HTTP", start("PLAY / HTTP/1.1"), kSound),
      any("9110 9.1: 32 letters", start(times(32, "A") + " / HTTP/1.1"), kSound),
      any("9110 9.1: 33 letters", start(times(33, "A") + " / HTTP/1.1"), 501),
      any("9110 9.3.2: HEAD in other letters, whose answer a careless server leaves without a body",
          start("Head / HTTP/1.1"), 501),
      any("9110 9.3.6: CONNECT", lines("CONNECT a:443 HTTP/1.1", "Host: a:443"), 405),
      any("9110 9.3.6: CONNECT in other letters", start("connect / HTTP/1.1"), 405),
      any("9110 9.3.8: TRACE", start("TRACE / HTTP/1.1"), 405),
      any("9110 9.3.8: TRACE in other letters", start("Trace / HTTP/1.1"), 405),
      any("9113 3.4: PRI is reserved", start("PRI / HTTP/1.1"), 400),
      any("9113 3.4: the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
      any("9110 9.1: colon", start("QUERY: / HTTP/1.1"), 400),
      any("9110 9.1: NUL", "QU\0RY / HTTP/1.1\r\nHost: a\r\n\r\n"s, 400),
      any("9112 3: two spaces", start("QUERY  / HTTP/1.1"), 400),
      any("9112 3: two spaces before the version", start("QUERY /  HTTP/1.1"), 400),
      any("9112 2.2: bare LF", "QUERY / HTTP/1.1\nHost: a\n\n", 400),
      any("9112 2.3: version", start("QUERY / HTTP/2.0"), 505),
      any("9112 2.3: RTSP", start("DESCRIBE / RTSP/1.0"), 400),
      any("9112 2.3: ICE", start("SOURCE / ICE/1.0"), 400),
      any("9112 3.2: no Host", lines("QUERY / HTTP/1.1"), 400),
      any("9112 3.2: two Hosts", query("Host: b"), 400),
      any("9112 3.2.3: authority-form", start("QUERY a:443 HTTP/1.1"), 400),
      any("9112 3.2.4: asterisk", start("QUERY * HTTP/1.1"), 400),
      any("9112 3.2: fragment", start("QUERY /#a HTTP/1.1"), 400),
      any("9112 5.1: space before the colon", query("X : y"), 400),
      any("9112 5.2: folded", query("X: y", " z"), 400),
      any("9110 5.5: NUL in a value", query("X: \0"s), 400),
      any("9112 6.1: coding and length", query("Content-Length: 3", "Transfer-Encoding: chunked"), 400),
      any("9112 6.1: another coding", query("Transfer-Encoding: gzip"), 501),
      any("9112 6.3: two lengths", query("Content-Length: 3", "Content-Length: 3"), 400),
      any("9112 6.3: a length that is none", query("Content-Length: +3"), 400),
      any("9110 7.8: no upgrade but of a GET", query("Connection: upgrade", "Upgrade: websocket"), kSound, "ws=no"),
  });
}

TEST_CASE("the version is HTTP/1.0 or HTTP/1.1") {
  run_requests({
      {"9112 2.3: 1.1", start("GET / HTTP/1.1"), kSound, "minor=1"},
      {"9112 2.3: 1.0", start("GET / HTTP/1.0"), kSound, "minor=0"},
      {"9110 2.5: 2.0", start("GET / HTTP/2.0"), 505},
      {"9110 2.5: 1.2", start("GET / HTTP/1.2"), 505},
      {"9110 2.5: 1.9", start("GET / HTTP/1.9"), 505},
      {"9110 2.5: 0.9", start("GET / HTTP/0.9"), 505},
      {"9110 2.5: 3.0", start("GET / HTTP/3.0"), 505},
      {"9110 2.5: 9.9", start("GET / HTTP/9.9"), 505},
      {"9110 2.5: 2.0 comes before an unknown method", start("BREW / HTTP/2.0"), 505},
      {"9113 3.4: the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"9112 2.3: 0.9 has none", "GET /\r\n", 400},
      {"9112 2.3: 0.9 with a body", "GET /\r\nContent-Length: 3\r\n\r\nabc", 400},
      {"9112 2.3: no minor digit", start("GET / HTTP/1"), 400},
      {"9112 2.3: point without a digit", start("GET / HTTP/1."), 400},
      {"9112 2.3: only a point", start("GET / HTTP/.1"), 400},
      {"9112 2.3: no digits", start("GET / HTTP/"), 400},
      {"9112 2.3: only a name", start("GET / HTTP"), 400},
      {"9112 2.3: two minor digits", start("GET / HTTP/1.10"), 400},
      {"9112 2.3: two major digits", start("GET / HTTP/11.1"), 400},
      {"9112 2.3: leading zero", start("GET / HTTP/01.1"), 400},
      {"9112 2.3: lower case", start("GET / http/1.1"), 400},
      {"9112 2.3: mixed case", start("GET / Http/1.1"), 400},
      {"9112 2.3: a letter for a digit", start("GET / HTTP/1.x"), 400},
      {"9112 2.3: a letter for a digit", start("GET / HTTP/x.1"), 400},
      {"9112 2.3: comma for the point", start("GET / HTTP/1,1"), 400},
      {"9112 2.3: sign", start("GET / HTTP/+1.1"), 400},
      {"9112 2.3: sign in place of a digit", start("GET / HTTP/-.1"), 400},
      {"9112 2.3: backslash", start("GET / HTTP\\1.1"), 400},
      {"9112 2.3: no slash", start("GET / HTTP1.1"), 400},
      {"9112 2.3: a longer name", start("GET / HTTPS/1.1"), 400},
      {"9112 2.3: a longer name in front", start("GET / XHTTP/1.1"), 400},
      {"9112 2.3: something behind", start("GET / HTTP/1.1x"), 400},
      {"9112 2.3: RTSP", start("DESCRIBE / RTSP/1.0"), 400},
      {"9112 2.3: RTSP with a method of HTTP", start("GET / RTSP/1.0"), 400},
      {"9112 2.3: ICE", start("SOURCE / ICE/1.0"), 400},
      {"9112 2.3: byte beyond ASCII", start("GET / HTTP/1.\xb9"), 400},
  });
}

TEST_CASE("a target in origin-form is forwarded unchanged if all parsers agree on it") {
  run_requests({
      {"9112 3.2.1: root", target("/"), kSound, "path=/; query=;"},
      {"9112 3.2.1: path", target("/a/b.html"), kSound, "GET /a/b.html HTTP/1.1\r\n"},
      {"9112 3.2.1: query", target("/a?b=c&d"), kSound, "path=/a; query=b=c&d;"},
      {"9112 3.2.1: empty query is kept", target("/a?"), kSound, "GET /a? HTTP/1.1\r\n"},
      {"9112 3.2.1: question marks in a query", target("/?a?b"), kSound, "path=/; query=a?b;"},
      {"9112 3.2.1: slash in a query", target("/?a/b"), kSound, "query=a/b;"},
      {"3986 3.3: empty segment at the begin", target("//a/b"), kSound, "GET //a/b HTTP/1.1\r\n"},
      {"3986 3.3: dot segments are the API's business", target("/a/../b/./c"), kSound, "GET /a/../b/./c HTTP/1.1\r\n"},
      {"3986 3.3: sub-delimiters, colon, at", target("/!$&'()*+,;=:@"), kSound, "GET /!$&'()*+,;=:@ HTTP/1.1\r\n"},
      {"3986 3.3: parameters", target("/a;v=1/b"), kSound, "path=/a;v=1/b;"},
      {"3986 2.1: percent-encoding", target("/%41%2f%c3%A9"), kSound, "GET /%41%2f%c3%A9 HTTP/1.1\r\n"},
      {"3986 2.1: in a query it is not looked at", target("/?100%"), kSound, "query=100%;"},
      {"3986 2.1: percent at the end", target("/100%"), 400},
      {"3986 2.1: one digit", target("/%4"), 400},
      {"3986 2.1: one digit before a query", target("/%4?a"), 400},
      {"3986 2.1: no digits", target("/%zz"), 400},
      {"3986 2.1: second is none", target("/%4g/"), 400},
      {"3986 2.1: percent percent", target("/%%41"), 400},
      {"3986 2.1: the %u that some decode", target("/%u0041"), 400},
      {"3986 3.3: backslash that some take for a slash", target("/a\\b"), 400},
      {"3986 3.3: backslash behind a slash", target("/\\example.org"), 400},
      {"3986 3.4: backslash in a query, as browsers send it", target("/?a\\b"), kSound, "query=a\\b;"},
      {"3986 2: brackets, as browsers send them", target("/a?b[]={c|d}"), kSound, "query=b[]={c|d};"},
      {"3986 3.5: fragment", target("/a#b"), 400},
      {"3986 3.5: empty fragment", target("/a#"), 400},
      {"3986 3.5: fragment in a query", target("/a?b#c"), 400},
      {"3986 3.5: only a fragment", target("#a"), 400},
      {"3986 2: byte beyond ASCII", target("/\xe9"), 400},
      {"3986 2: UTF-8", target("/\xc3\xa9"), 400},
      {"3986 2: UTF-8 in a query", target("/?\xc3\xa9"), 400},
      {"3986 2: 0xff", target("/\xff"), 400},
      {"3986 2: 0x80", target("/\x80"), 400},
      {"3986 2: DEL", target("/\x7f"), 400},
      {"3986 2: NUL", target("/\0"s), 400},
      {"3986 2: ESC", target("/\x1b"), 400},
      {"3986 2: tab", target("/a\tb"), 400},
      {"9112 3.2: no slash", target("a/b"), 400},
      {"9112 3.2: only a query", target("?a"), 400},
      {"9112 3.2: dots", target("../a"), 400},
      {"9112 3.2.3: authority-form without CONNECT", target("a:80"), 400},
      {"9112 3.2.3: authority-form without a port", target("a"), 400},
  });
}

TEST_CASE("a target in absolute-form becomes origin-form and must agree with Host") {
  const auto absolute = [](const std::string& text, const std::string& host) {
    return lines("GET " + text + " HTTP/1.1", "Host: " + host);
  };
  run_requests({
      {"9112 3.2.2: path", absolute("http://a/b", "a"), kSound, "GET /b HTTP/1.1\r\nHost: a\r\n"},
      {"9112 3.2.2: query", absolute("http://a/b?c", "a"), kSound, "GET /b?c HTTP/1.1\r\n"},
      {"9112 3.2.2: port", absolute("http://a:81/b", "a:81"), kSound, "Host: a:81\r\n"},
      {"9110 4.2.3: empty path", absolute("http://a", "a"), kSound, "GET / HTTP/1.1\r\n"},
      {"9110 4.2.3: empty path with a query", absolute("http://a?b", "a"), kSound, "GET /?b HTTP/1.1\r\n"},
      {"9110 4.2.3: the same, as facts", absolute("http://a?b", "a"), kSound, "path=/; query=b;"},
      {"9110 4.2.3: empty path with an empty query", absolute("http://a?", "a"), kSound, "GET /? HTTP/1.1\r\n"},
      {"9110 4.2.3: scheme in any case", absolute("HtTp://a/b", "a"), kSound, "GET /b HTTP/1.1\r\n"},
      {"9110 4.2.3: host in any case", absolute("http://ABC/b", "abc"), kSound, "GET /b HTTP/1.1\r\n"},
      {"9112 3.2.2: v6", absolute("http://[::1]:81/", "[::1]:81"), kSound, "Host: [::1]:81\r\n"},
      {"9112 3.2.2: 1.0 without Host", lines("GET http://a/b HTTP/1.0"), kSound, "Host: a\r\n"},
      {"9112 3.2.2: 1.1 without Host", lines("GET http://a/b HTTP/1.1"), 400},
      {"9112 3.2.2: another host", absolute("http://a/b", "c"), 400},
      {"9112 3.2.2: another host in 1.0", lines("GET http://a/b HTTP/1.0", "Host: c"), 400},
      {"9112 3.2.2: another port", absolute("http://a:81/", "a:82"), 400},
      {"9112 3.2.2: a port in the target only", absolute("http://a:80/", "a"), 400},
      {"9112 3.2.2: a port in Host only", absolute("http://a/", "a:80"), 400},
      {"9112 3.2.2: a host that begins alike", absolute("http://ab/", "a"), 400},
      {"9110 4.2.4: userinfo", absolute("http://u@a/", "a"), 400},
      {"9110 4.2.4: userinfo that is the host", absolute("http://a@b/", "a"), 400},
      {"9110 4.2.4: userinfo with a password", absolute("http://u:p@a/", "a"), 400},
      {"9110 4.2.1: empty authority", absolute("http:///b", "a"), 400},
      {"9110 4.2.1: nothing behind the scheme", absolute("http://", "a"), 400},
      {"9110 4.2.1: bad port", absolute("http://a:b/", "a:b"), 400},
      {"3986 6.2.3: empty port", absolute("http://a:/", "a:"), kSound, "authority=a;"},
      {"9112 3.2.2: one slash", absolute("http:/a/b", "a"), 400},
      {"9112 3.2.2: no slash", absolute("http:a", "a"), 400},
      {"9112 3.2.2: https", absolute("https://a/b", "a"), kSound, "authority=a;"},
      {"9112 3.2.2: https in capitals", absolute("HTTPS://a/b", "a"), kSound, "authority=a;"},
      {"9112 3.2.2: https of another host", absolute("https://b/", "a"), 400},
      {"9112 3.2.2: ftp", absolute("ftp://a/b", "a"), 400},
      {"9112 3.2.2: a scheme as long as http", absolute("hxxp://a/b", "a"), 400},
      {"9110 4.2.4: userinfo in 1.0 without Host", lines("GET http://u@a/ HTTP/1.0"), 400},
      {"9110 4.2.1: bad port in 1.0 without Host", lines("GET http://a:b/ HTTP/1.0"), 400},
      {"9110 4.2.1: empty authority in 1.0 without Host", lines("GET http:///b HTTP/1.0"), 400},
      {"9112 3.2.2: file", absolute("file:///etc/passwd", "a"), 400},
      {"9112 3.2.2: backslashes", absolute("http:\\\\a\\b", "a"), 400},
      {"9112 3.2.2: backslash that ends the host for some", absolute("http://a\\@b/", "a"), 400},
      {"9112 3.2.2: fragment", absolute("http://a/b#c", "a"), 400},
      {"9112 3.2.2: fragment behind the host", absolute("http://a#b", "a"), 400},
      {"9112 3.2.2: percent-encoding in the host", absolute("http://%61/", "a"), 400},
      {"9112 3.2.2: a second one in the path", absolute("http://a/http://b/", "a"), kSound, "GET /http://b/ HTTP/1.1"},
  });
}

TEST_CASE("the asterisk is a target of OPTIONS only") {
  run_requests({
      {"9112 3.2.4: OPTIONS", start("OPTIONS * HTTP/1.1"), kSound, "OPTIONS * HTTP/1.1\r\n"},
      {"9112 3.2.4: OPTIONS of an absolute-form without path", start("OPTIONS http://a HTTP/1.1"), kSound,
       "OPTIONS * HTTP/1.1\r\n"},
      {"9112 3.2.4: OPTIONS of an absolute-form with one", start("OPTIONS http://a/ HTTP/1.1"), kSound,
       "OPTIONS / HTTP/1.1\r\n"},
      {"9112 3.2.4: GET", target("*"), 400},
      {"9112 3.2.4: HEAD", start("HEAD * HTTP/1.1"), 400},
      {"9112 3.2.4: POST", start("POST * HTTP/1.1"), 400},
      {"9112 3.2.4: PUT in 1.0", start("PUT * HTTP/1.0"), 400},
      {"9112 3.2.4: with a path", start("OPTIONS */a HTTP/1.1"), 400},
      {"9112 3.2.4: with a query", start("OPTIONS *?a HTTP/1.1"), 400},
      {"9112 3.2.4: twice", start("OPTIONS ** HTTP/1.1"), 400},
      {"9112 3.2.4: in a path it means nothing", target("/*"), kSound, "GET /* HTTP/1.1\r\n"},
  });
}
