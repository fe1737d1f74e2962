#include "proxy/upstream/addresses.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <doctest/doctest.h>

#include "proxy/upstream/connect_attempts.hpp"

namespace spillway::upstream {
namespace {

using namespace std::chrono_literals;

const Time kStart = Time() + 1h;

Endpoint at(const char* address) {
  return net::asio::ip::tcp::endpoint(net::asio::ip::make_address(address), 80);
}

TEST_CASE("An address that refuses is followed by the next at once") {
  ConnectAttempts attempts({at("::1"), at("127.0.0.1")}, kStart, 1s);
  const auto first = attempts.next(kStart);
  REQUIRE(first);
  CHECK(first->endpoint == at("::1"));
  CHECK(first->time == 250ms);
  const auto second = attempts.next(kStart + 1ms);
  REQUIRE(second);
  CHECK(second->endpoint == at("127.0.0.1"));
  CHECK(second->time == 999ms);
  CHECK_FALSE(attempts.next(kStart + 2ms));
}

TEST_CASE("A silent address is followed by the next, and has the whole time to answer") {
  ConnectAttempts attempts({at("::1"), at("127.0.0.1")}, kStart, 1s);
  CHECK(attempts.next(kStart)->endpoint == at("::1"));
  const auto second = attempts.next(kStart + 250ms);
  REQUIRE(second);
  CHECK(second->endpoint == at("127.0.0.1"));
  CHECK(second->time == 750ms);
  CHECK_FALSE(attempts.next(kStart + 251ms));
  CHECK(attempts.left(kStart + 251ms) == 749ms);
  CHECK(attempts.left(kStart + 1s) == 0s);
}

TEST_CASE("Each of many addresses gets its share of a short time, and never nearly none") {
  ConnectAttempts few({at("::1"), at("::2"), at("::3"), at("::4")}, kStart, 100ms);
  CHECK(few.next(kStart)->time == 25ms);
  ConnectAttempts many(Endpoints(1000, at("::1")), kStart, 100ms);
  Time now = kStart;
  int begun = 0;
  while (const auto attempt = many.next(now)) {
    CHECK(attempt->time == 10ms);
    now += attempt->time;
    ++begun;
  }
  CHECK(begun == 10);
  CHECK(now == kStart + 100ms);
}

TEST_CASE("A failed connect brings the next look-up forward, but not at once") {
  CHECK(next_look_up(kStart, 5s, false) == kStart + 5s);
  CHECK(next_look_up(kStart, 5s, true) == kStart + 500ms);
  CHECK(next_look_up(kStart, 100ms, true) == kStart + 100ms);
}

TEST_CASE("An address that is no name is known at once, and never looked up") {
  Addresses addresses(config::Address::tcp("127.0.0.1", 80));
  CHECK(*addresses.list() == Endpoints{at("127.0.0.1")});
  CHECK(addresses.start(5s, 0s, {}));
  CHECK(net::is_name(config::Address::tcp("localhost", 80)));
  CHECK_FALSE(net::is_name(config::Address::tcp("::1", 80)));
}

}  // namespace
}  // namespace spillway::upstream
