#include <doctest/doctest.h>

#include "tests/unit/http/rows.hpp"

using namespace spillway::http::rows;

TEST_CASE("a plain response passes and is written anew") {
  run_responses({
      {"9112 4: status line", ok("Content-Length: 5"), kSound, "Content-Length: 5\r\n"},
      {"9112 6.3: chunked", ok("Transfer-Encoding: chunked"), kSound, "Transfer-Encoding: chunked\r\n"},
      {"9112 6.3: until the connection closes", ok(), kSound, "Transfer-Encoding: chunked\r\n"},
      {"9112 6.3: 204", lines("HTTP/1.1 204 No Content", "Content-Length: 5"), kSound, "", "content-length"},
  });
}
