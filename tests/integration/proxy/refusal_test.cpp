// A refusal is cheap for the client: it comes before the body is sent, and the connection stays open.

#include <doctest/doctest.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"

namespace spillway::test {
namespace {

constexpr std::size_t kLarge = 1024 * 1024;

/// A proxy whose only slot is taken.
struct FullHouse {
  Upstream upstream{[](Turn& turn) {
    if (turn.request() == "GET /held") turn.hold();
    turn.answer(turn.request() + ":" + turn.body());
  }};
  Proxy proxy{upstream, {.admission = admit(1) + ", queue: {max_wait: 0}"}};
  Client first{proxy};

  FullHouse() {
    first.start("GET", "/held");
    REQUIRE(eventually([&] { return upstream.inside() == 1 && upstream.requests() == 1; }));
  }
  void make_room() {
    upstream.release_all();
    CHECK(first.receive().status == 200);
    CHECK(proxy.await_metric("spillway_inflight", 0));
  }
  /// How many requests the API got besides the first one.
  int others() const { return upstream.requests() - 1; }
};

void check_refused(const Reply& reply) {
  CHECK(reply.status == 503);
  CHECK(reply.whole);
  CHECK(reply.problem("reason") == "capacity");
}

TEST_CASE("a request is refused before its small body; the body is skipped, and the connection stays open") {
  FullHouse house;
  Client client(house.proxy);
  client.send("POST /refused HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\n");
  const Reply reply = client.receive();
  check_refused(reply);
  CHECK_FALSE(reply.has("Connection"));
  client.send("hello");
  check_refused(client.request("POST", "/refused", "", "hello"));
  CHECK(house.others() == 0);
  house.make_room();
  CHECK(client.request("POST", "/served", "", "again").body == "POST /served:again");
}

TEST_CASE("a chunked body that came with its head is skipped, and the connection stays open") {
  FullHouse house;
  Client client(house.proxy);
  client.send("POST /refused HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked("hello"));
  const Reply reply = client.receive();
  check_refused(reply);
  CHECK_FALSE(reply.has("Connection"));
  house.make_room();
  CHECK(client.get("/served").body == "GET /served:");
}

TEST_CASE(
    "after the refusal of a long body, or one of unknown length, the connection closes, and the client can read the "
    "response") {
  const std::string large = pattern(kLarge);
  const std::string length = "Content-Length: " + std::to_string(kLarge);
  for (const auto& [framing, body] :
       {std::pair{length, large}, {std::string("Transfer-Encoding: chunked"), chunked(large)}}) {
    CAPTURE(framing);
    FullHouse house;
    Client client(house.proxy);
    client.send("POST /refused HTTP/1.1\r\nHost: test\r\n" + framing + "\r\n\r\n");
    client.send(body);  // all of it, as clients do that read the response only afterwards
    const Reply reply = client.receive();
    check_refused(reply);
    CHECK(reply.field("Connection") == "close");
    CHECK(client.ended() == End::closed);
    CHECK(house.others() == 0);
    house.make_room();
    CHECK(house.proxy.accounts_balance());
  }
}

TEST_CASE("a refused request with Expect: 100-continue gets no 100") {
  FullHouse house;
  Client client(house.proxy);
  client.send("POST /refused HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  const Reply reply = client.receive();
  check_refused(reply);
  CHECK(reply.field("Connection") == "close");
  house.make_room();
}

TEST_CASE("requests behind a refused one on the same connection are decided on their own") {
  FullHouse house;
  Client client(house.proxy);
  client.send(
      "POST /1 HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\none"
      "GET /2 HTTP/1.1\r\nHost: test\r\n\r\n"
      "HEAD /3 HTTP/1.1\r\nHost: test\r\n\r\n"
      "GET /4 HTTP/1.1\r\nHost: test\r\n\r\n");
  check_refused(client.receive());
  check_refused(client.receive());
  const Reply to_head = client.receive(true);
  CHECK(to_head.status == 503);
  CHECK(std::stoi(to_head.field("Content-Length")) > 0);
  check_refused(client.receive());
  CHECK(house.others() == 0);
  house.make_room();
  CHECK(house.proxy.metric("load_shedding_rejections") == 4);
}

TEST_CASE("a client of HTTP/1.0 without keep-alive gets its refusal, then the connection closes") {
  FullHouse house;
  Client client(house.proxy);
  client.send("GET / HTTP/1.0\r\n\r\n");
  check_refused(client.receive());
  CHECK(client.ended() == End::closed);
  house.make_room();
}

}  // namespace
}  // namespace spillway::test
