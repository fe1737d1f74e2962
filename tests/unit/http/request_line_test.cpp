#include <doctest/doctest.h>

#include "tests/unit/http/rows.hpp"

using namespace spillway::http::rows;

TEST_CASE("a plain request passes and is written anew") {
  run_requests({
      {"9112 3: request line", get(), kSound, "GET / HTTP/1.1\r\nHost: a\r\n"},
      {"9112 3: HTTP/1.0", lines("GET / HTTP/1.0"), kSound, "GET / HTTP/1.1\r\nHost: localhost\r\n"},
      {"9110 2.5: HTTP/2.0", lines("GET / HTTP/2.0", "Host: a"), 505},
      {"9112 2.3: HTTP/0.9", "GET /\r\n\r\n", 400},
      {"9112 3.2: no Host", lines("GET / HTTP/1.1"), 400},
  });
}
