// A refusal is cheap for the client: it comes before the body is sent, and the connection stays open.

#include <csignal>
#include <fstream>

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

TEST_CASE("a browser is refused with a page that tries again by itself, a program with a problem document") {
  FullHouse house;
  Client client(house.proxy);
  const Reply page = client.get("/refused", "Accept: text/html,*/*;q=0.8\r\n");
  CHECK(page.status == 503);
  CHECK(page.field("Content-Type") == "text/html; charset=utf-8");
  CHECK(page.has("Retry-After"));
  CHECK(page.body.find("location.reload()") != std::string::npos);
  const Reply posted = client.request("POST", "/refused", "Accept: text/html\r\n", "x");
  CHECK(posted.body.find("<h1>") != std::string::npos);
  CHECK(posted.body.find("reload") == std::string::npos);
  check_refused(client.get("/refused", "Accept: application/json\r\n"));
  house.make_room();
}

TEST_CASE("a refusal looks as configured, also after its file has changed") {
  Upstream upstream;
  Proxy proxy(upstream, {.admission = "shed_at: 0"});
  const std::string file = proxy.path("busy.txt");
  std::ofstream(file) << "{{reason}}, in {{retry_after}} s";
  const Settings settings{.admission = "shed_at: 0",
                          .more = "refusals: {capacity: {format: file, status: 529, content_type: text/plain, file: '" +
                                  file + "', headers: ['X-Shed: yes']}}\n"};
  proxy.configure(settings);
  proxy.signal(SIGHUP);
  REQUIRE(proxy.await_log("configuration reloaded, changed: "));
  Client client(proxy);
  const Reply reply = client.get("/");
  CHECK(reply.status == 529);
  CHECK(reply.field("Content-Type") == "text/plain");
  CHECK(reply.field("X-Shed") == "yes");
  CHECK(reply.body == "capacity, in 5 s");
  std::ofstream(file) << "again";  // noticed as a change of the configuration is
  CHECK(eventually([&] { return client.get("/").body == "again"; }));
  CHECK(proxy.accounts_balance());
}

TEST_CASE("scripts of an allowed origin may read a refusal, and their preflight is not refused") {
  Upstream upstream;
  Proxy proxy(upstream,
              {.admission = "shed_at: 0", .more = "refusals: {cors: {allow_origins: ['https://app.test']}}\n"});
  Client client(proxy);
  const std::string origin = "Origin: https://app.test\r\n";
  const std::string asks = "Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: authorization\r\n";
  const Reply refused = client.get("/", origin);
  check_refused(refused);
  CHECK(refused.field("Access-Control-Allow-Origin") == "https://app.test");
  CHECK(refused.field("Access-Control-Expose-Headers") == "Retry-After, X-Request-ID");
  CHECK(refused.field("Vary") == "Origin");
  const Reply preflight = client.request("OPTIONS", "/", origin + asks);
  CHECK(preflight.status == 204);
  CHECK(preflight.field("Access-Control-Allow-Origin") == "https://app.test");
  CHECK(preflight.field("Access-Control-Allow-Methods").find("PUT") != std::string::npos);
  CHECK(preflight.field("Access-Control-Allow-Headers") == "authorization");

  check_refused(client.request("OPTIONS", "/", origin));  // no preflight
  check_refused(client.request("OPTIONS", "/", asks));    // nor this, without an origin
  // No preflight is refused. That of another origin gets no permission, and does not reach the API either.
  const Reply other = client.request("OPTIONS", "/", "Origin: https://other.test\r\n" + asks);
  CHECK(other.status == 204);
  CHECK_FALSE(other.has("Access-Control-Allow-Origin"));
  CHECK_FALSE(other.has("Access-Control-Allow-Methods"));
  CHECK(other.field("Vary") == "Origin");
  CHECK_FALSE(client.get("/", "Origin: https://other.test\r\n").has("Access-Control-Allow-Origin"));
  CHECK(upstream.requests() == 0);
  CHECK(proxy.accounts_balance());
}

}  // namespace
}  // namespace spillway::test
