// What the log can tell of a head that is no request.

#include "proxy/http1/glimpse.hpp"

#include <string>

#include <doctest/doctest.h>

namespace spillway::http {
namespace {

TEST_CASE("method, target and host are made out as far as they have come") {
  struct Row {
    std::string_view bytes, method, target, host;
  };
  for (const Row& row : {
           Row{"", "", "", ""},
           Row{"\r\n\r\n", "", "", ""},
           Row{"GE", "GE", "", ""},
           Row{"GET /a", "GET", "/a", ""},
           Row{"GET /a HTTP/1.1\r\nHost: b\r\n", "GET", "/a", "b"},
           Row{"\r\nGET /a HTTP/1.1\r\nX: y\r\nhOST:\tb:80\r\nHost: c\r\n\r\n", "GET", "/a", "b:80"},
           Row{"GET /a\nHost: b", "GET", "/a", "b"},
           Row{"GET  /a HTTP/1.1\r\nHos", "GET", "", ""},
           Row{"\x16\x03\x01", "\x16\x03\x01", "", ""},
       }) {
    CAPTURE(row.bytes);
    const Glimpse seen = glimpse(row.bytes);
    CHECK(seen.method == row.method);
    CHECK(seen.target == row.target);
    CHECK(seen.host == row.host);
  }
  const std::string much(5000, 'x');
  const Glimpse seen = glimpse(much + ' ' + much + " HTTP/1.1\r\nHost: " + much);
  CHECK(seen.method.size() == 32);
  CHECK(seen.target.size() == 1024);
  CHECK(seen.host.size() == 256);
}

}  // namespace
}  // namespace spillway::http
