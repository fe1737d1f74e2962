#include <doctest/doctest.h>

#include "tests/unit/http1/rows.hpp"

using namespace spillway::http;
using namespace spillway::http::rows;

namespace {

HeadLimits bytes(std::size_t head) {
  HeadLimits limits;
  limits.head = head;
  return limits;
}
HeadLimits uri(std::size_t most) {
  HeadLimits limits;
  limits.uri = most;
  return limits;
}
HeadLimits headers(int most) {
  HeadLimits limits;
  limits.headers = most;
  return limits;
}
HeadLimits bytes_and_uri(std::size_t head, std::size_t most) {
  HeadLimits limits = bytes(head);
  limits.uri = most;
  return limits;
}

}  // namespace

TEST_CASE("a request head keeps to its limits") {
  const std::string forty = lines("GET / HTTP/1.1", "Host: a", "X: 34567890");
  REQUIRE(forty.size() == 40);
  run_requests({
      {"6585 5: exactly the limit", forty, kSound, "X: 34567890\r\n", "", bytes(40)},
      {"6585 5: one byte more", forty, 431, "", "", bytes(39)},
      {"6585 5: surplus does not count", forty + times(100, "x"), kSound, "X: 34567890\r\n", "", bytes(40)},
      {"6585 5: the last byte is missing", forty.substr(0, 39), kUnfinished, "", "", bytes(40)},
      {"6585 5: empty lines before it count", "\r\n" + forty, 431, "", "", bytes(41)},
      {"6585 5: and fit", "\r\n" + forty, kSound, "X: 34567890\r\n", "", bytes(42)},
      {"6585 5: a value without end", get("X: " + times(2000, "y")), 431, "", "", bytes(1000)},
      {"6585 5: a name without end", get(times(2000, "y")), 431, "", "", bytes(1000)},
      {"6585 5: a head without end, as it comes", "GET / HTTP/1.1\r\nHost: a\r\nX: " + times(2000, "y"), 431, "", "",
       bytes(1000)},
      {"6585 5: a fault before the limit comes first", get("X: \x01", "X: " + times(200, "y")), 400, "", "",
       bytes(100)},
      {"6585 5: a fault behind the limit comes too late", get("X: " + times(200, "y") + "\x01"), 431, "", "",
       bytes(100)},
      {"6585 5: a limit of nothing", get(), 431, "", "", bytes(0)},
      {"6585 5: fields to the limit", get(times(3, "X: y\r\n") + "Z: y"), kSound, "Z: y\r\n", "", headers(5)},
      {"6585 5: a field too many", get(times(4, "X: y\r\n") + "Z: y"), 431, "", "", headers(5)},
      {"6585 5: the contract's 100", lines("GET / HTTP/1.1", "Host: a", times(98, "X: y\r\n") + "Z: y"), kSound,
       "Z: y\r\n"},
      {"6585 5: the contract's 101", lines("GET / HTTP/1.1", "Host: a", times(99, "X: y\r\n") + "Z: y"), 431},
      {"6585 5: Host counts", lines("GET / HTTP/1.1", "Host: a"), 431, "", "", headers(0)},
      {"6585 5: a fault in an earlier line comes first", get("X: \x01", "X: y"), 400, "", "", headers(2)},
      {"9110 15.5.15: exactly the limit", lines("GET /" + times(9, "a") + " HTTP/1.1", "Host: a"), kSound,
       "GET /aaaaaaaaa ", "", uri(10)},
      {"9110 15.5.15: one byte more", lines("GET /" + times(10, "a") + " HTTP/1.1", "Host: a"), 414, "", "", uri(10)},
      {"9110 15.5.15: query counts", lines("GET /?" + times(9, "a") + " HTTP/1.1", "Host: a"), 414, "", "", uri(10)},
      {"9110 15.5.15: absolute-form counts whole", lines("GET http://a/bc HTTP/1.1", "Host: a"), 414, "", "", uri(10)},
      {"9110 15.5.15: absolute-form that fits", lines("GET http://a/b HTTP/1.1", "Host: a"), kSound, "GET /b ", "",
       uri(10)},
      {"9110 15.5.15: a target without end", "GET /" + times(300, "a"), 414, "", "", uri(100)},
      {"9110 15.5.15: the contract's 8 KiB", lines("GET /" + times(200, "a") + " HTTP/1.1", "Host: a"), kSound,
       "GET /aaa"},
      {"9110 15.5.15: longer than the whole head may be", "GET /" + times(300, "a"), 414, "", "",
       bytes_and_uri(100, 1000)},
      {"9110 15.5.15: a fault at the byte too many", lines("GET /" + times(9, "a") + "\x01 HTTP/1.1"), 400, "", "",
       uri(10)},
      {"9110 15.5.15: a fault behind it", lines("GET /" + times(10, "a") + "\x01 HTTP/1.1"), 414, "", "", uri(10)},
      {"9112 3: a method without end", times(300, "A"), 431, "", "", bytes(100)},
      {"9112 3: a version without end", "GET / " + times(300, "H"), 431, "", "", bytes(100)},
      {"9112 2.2: empty lines without end", times(50, "\r\n"), 400, "", "", bytes(100)},
  });
}

TEST_CASE("a response head keeps to its limits") {
  const std::string thirty = lines("HTTP/1.1 200 OK", "X: 345678");
  REQUIRE(thirty.size() == 30);
  run_responses({
      {"9110 15.6.3: exactly the limit", thirty, kSound, "X: 345678\r\n", "", bytes(30)},
      {"9110 15.6.3: one byte more", thirty, 502, "", "", bytes(29)},
      {"9110 15.6.3: a head without end, as it comes", "HTTP/1.1 200 OK\r\nX: " + times(300, "y"), 502, "", "",
       bytes(100)},
      {"9110 15.6.3: a reason without end", "HTTP/1.1 200 " + times(300, "y"), 502, "", "", bytes(100)},
      {"9110 15.6.3: fields to the limit", ok(times(4, "X: y\r\n") + "Z: y"), kSound, "Z: y\r\n", "", headers(5)},
      {"9110 15.6.3: a field too many", ok(times(5, "X: y\r\n") + "Z: y"), 502, "", "", headers(5)},
  });
}
