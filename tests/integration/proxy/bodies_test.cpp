// Bodies of every size and framing pass unchanged in both directions, in bounded memory.

#include <atomic>
#include <cstdlib>
#include <thread>

#include <doctest/doctest.h>

#include "tests/integration/proxy/held.hpp"

namespace spillway::test {
namespace {

constexpr std::size_t kMiB = 1024 * 1024;
constexpr std::size_t kSizes[] = {0, 1, 2, 100, 8191, 8192, 16383, 16384, 16385, 65536, 100'000, kMiB};

/// Sends the body back, framed as the target says.
void echo(Turn& turn) {
  const std::string body = turn.body();
  CHECK(turn.body_whole());
  if (turn.request() == "POST /length") return turn.answer(body);
  const bool until_close = turn.request() == "POST /until-close";
  turn.send(until_close ? "HTTP/1.1 200 OK\r\n\r\n" : "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  turn.send(until_close ? body : chunked(body, body.size() > kMiB / 2 ? 50'000 : 100));
  if (until_close) turn.close();
}

std::string head_of(const char* target, const std::string& framing, const char* version = "1.1") {
  return std::string("POST ") + target + " HTTP/" + version + "\r\nHost: test\r\n" + framing + "\r\n\r\n";
}

TEST_CASE("bodies of every size and framing arrive unchanged in both directions") {
  Upstream upstream(echo);
  Proxy proxy(upstream);
  for (const char* target : {"/length", "/chunked", "/until-close"}) {
    for (const std::size_t size : kSizes) {
      CAPTURE(target);
      CAPTURE(size);
      const std::string body = pattern(size);
      Client client(proxy);
      client.send(head_of(target, "Content-Length: " + std::to_string(size)) + body);
      Reply reply = client.receive();
      CHECK(reply.status == 200);
      CHECK(reply.whole);
      CHECK(reply.body == body);
      CHECK(upstream.seen().back().head.find("Content-Length: " + std::to_string(size) + "\r\n") != std::string::npos);

      for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}, std::size_t{16384}, kMiB}) {
        if (piece == 1 && size > 20'000) continue;
        CAPTURE(piece);
        client.send(head_of(target, "Transfer-Encoding: chunked") + chunked(body, piece));
        reply = client.receive();
        CHECK(reply.status == 200);
        CHECK(reply.whole);
        CHECK(reply.body == body);
        CHECK(count_fields(upstream.seen().back().head, "Content-Length") == 0);
      }
    }
  }
  CHECK(proxy.accounts_balance());
}

TEST_CASE("a body sent in small pieces arrives whole") {
  Upstream upstream(echo);
  Proxy proxy(upstream);
  Client client(proxy);
  const std::string body = pattern(300);
  for (const std::string& raw : {head_of("/chunked", "Transfer-Encoding: chunked") + chunked(body, 7),
                                 head_of("/length", "Content-Length: 300") + body}) {
    for (const char& byte : raw) client.send({&byte, 1});
    const Reply reply = client.receive();
    CHECK(reply.status == 200);
    CHECK(reply.body == body);
  }
}

TEST_CASE("extensions of chunks and trailers are dropped, in both directions") {
  Upstream upstream([](Turn& turn) {
    turn.body();
    turn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-Trailer: no\r\n\r\n");
  });
  Proxy proxy(upstream);
  Client client(proxy);
  for (int i = 0; i < 2; ++i) {
    client.send(head_of("/", "Transfer-Encoding: chunked\r\nTrailer: X-Trailer") +
                "3;name=value\r\nabc\r\n0\r\nX-Trailer: no\r\n\r\n");
    std::string head, raw;
    REQUIRE(client.wire().read_head(head));
    CHECK(client.wire().read_exactly(13, raw));
    CHECK(raw == "3\r\nabc\r\n0\r\n\r\n");
    CHECK(upstream.seen().back().body == "abc");
    CHECK(count_fields(upstream.seen().back().head, "Trailer") == 0);
  }
  CHECK(upstream.connections() == 1);
}

TEST_CASE("a trailer that must stand in the head is refused") {
  Upstream upstream(echo);
  Proxy proxy(upstream);
  for (const char* const name : {"Authorization", "Cookie", "X-Forwarded-For", "Host", "Connection"}) {
    CAPTURE(name);
    Client client(proxy);
    client.send(head_of("/", "Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n" + name + ": a\r\n\r\n");
    CHECK(client.receive().status == 400);
  }
}

TEST_CASE("a client of HTTP/1.0 gets a body without chunks that ends with the connection") {
  Upstream upstream(echo);
  Proxy proxy(upstream);
  for (const std::size_t size : {std::size_t{0}, std::size_t{16385}}) {
    Client client(proxy);
    client.send(head_of("/chunked", "Connection: keep-alive\r\nContent-Length: " + std::to_string(size), "1.0") +
                pattern(size));
    const Reply reply = client.receive();
    CHECK_FALSE(reply.has("Transfer-Encoding"));
    CHECK(reply.body == pattern(size));
    CHECK(client.wire().end() == End::closed);
  }
}

TEST_CASE("a body that arrives while the proxy connects, after queueing, is forwarded") {
  Upstream upstream(
      [](Turn& turn) {
        if (turn.request() == "GET /held") {
          turn.hold();
          return turn.answer("", "Connection: close\r\n");  // so that the next request needs a new connection
        }
        turn.answer(turn.body());
      },
      Upstream::Kind::unix_socket);
  Proxy proxy(upstream, {.upstream = "connect_timeout: 60s",
                         .timeouts = "request_body: 2s",
                         .admission = admit(1) + ", queue: {max_wait: 60s}"});
  Client held(proxy), queued(proxy);
  held.start("GET", "/held");
  REQUIRE(eventually([&] { return upstream.inside() == 1; }));
  queued.send(head_of("/", "Transfer-Encoding: chunked") + "3\r\nabc\r\n");
  REQUIRE(proxy.await_metric("spillway_queue_length", 1));

  upstream.pause();
  const std::vector<Wire> waiting = upstream.fill_queue();
  upstream.release();
  CHECK(held.receive().status == 200);
  REQUIRE(eventually(
      [&] { return proxy.metric("spillway_upstream_connects_total") == 2 || proxy.stat("in_flight") == 0; }));
  queued.send("3\r\ndef\r\n0\r\n\r\n");
  upstream.resume();
  const Reply reply = queued.receive();
  CHECK(reply.status == 200);
  CHECK(reply.body == "abcdef");
  CHECK(proxy.accounts_balance());
}

/// The size of a body sent to a side that does not read for a while; `make large` sets SPILLWAY_BODY_MIB to a GiB.
std::size_t large() {
  const char* text = std::getenv("SPILLWAY_BODY_MIB");
  return (text ? std::stoul(text) : 200) * kMiB;
}
const std::size_t kLarge = large();
/// How much it may add to the proxy's memory. A sanitizer keeps freed memory for a while.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kGrowth = 8 * kMiB;
#else
constexpr std::size_t kGrowth = 1 * kMiB;
#endif

TEST_CASE("a large body of known length arrives whole, however the API sends it, and the next response after it") {
  std::size_t piece = 0;
  const std::string body = pattern(6 * kMiB + 7);
  Upstream upstream([&](Turn& turn) {
    if (turn.request() == "GET /small") return turn.answer();
    turn.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
    for (std::size_t at = 0; at < body.size(); at += piece) turn.send(std::string_view(body).substr(at, piece));
  });
  Proxy proxy(upstream);
  Client client(proxy);
  for (const std::size_t each : {std::size_t{999}, std::size_t{65536}, body.size()}) {
    CAPTURE(each);
    piece = each;
    const Reply reply = client.get("/");
    CHECK(reply.whole);
    CHECK(reply.body == body);
    CHECK(client.get("/small").body == "ok");
  }
  CHECK(upstream.connections() == 1);
  CHECK(proxy.accounts_balance());
}

TEST_CASE("a large body that the API cuts does not pass for a whole one") {
  for (const bool resets : {false, true}) {
    CAPTURE(resets);
    Upstream upstream([&](Turn& turn) {
      turn.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(8 * kMiB) + "\r\n\r\n" + pattern(3 * kMiB));
      resets ? turn.reset() : turn.close();
    });
    Proxy proxy(upstream);
    Client client(proxy);
    client.start("GET", "/");
    CHECK_FALSE(client.receive().whole);
    CHECK(client.wire().end() == End::reset);
    CHECK(proxy.accounts_balance());
  }
}

/// The proxy keeps the rest of a response once it is no larger than this.
constexpr std::size_t kKept = 4 * kMiB;

TEST_CASE("a slow reader holds up the API, not the proxy's memory") {
  std::atomic<std::size_t> sent = 0;
  const std::string piece = pattern(kMiB);
  Upstream upstream([&](Turn& turn) {
    if (turn.request() == "GET /small") return turn.answer();
    turn.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kLarge) + "\r\n\r\n");
    for (; sent < kLarge; sent += piece.size()) turn.send(piece);
  });
  Proxy proxy(upstream);
  CHECK(Client(proxy).get("/small").status == 200);
  const std::size_t before = proxy.memory();
  Client client(proxy);
  client.start("GET", "/");
  std::string head;
  REQUIRE(client.wire().read_head(head));
  REQUIRE(held_up(sent));
  CHECK(sent < kLarge / 2);
  CHECK(proxy.memory() < before + kGrowth);
  CHECK(client.wire().skip(kLarge));
  CHECK(eventually([&] { return sent == kLarge; }));
  CHECK(proxy.memory() < before + kGrowth + kKept);
  MESSAGE((kLarge / kMiB), " MiB to a slow reader: resident memory went from ", before / 1024, " to ",
          proxy.memory() / 1024, " KiB");
}

TEST_CASE("many slow readers hold no more memory than a few") {
  constexpr int kReaders = 24;
  Upstream upstream([](Turn& turn) {
    turn.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kLarge) + "\r\n\r\n");
    const std::string piece = pattern(kMiB);
    while (turn.wire().send(piece)) continue;
  });
  Proxy proxy(upstream, {.limits = "buffered: 1MiB"});
  std::vector<Client> readers;
  const std::size_t before = proxy.memory();
  for (int i = 0; i < kReaders; ++i) {
    Client& reader = readers.emplace_back(proxy);
    reader.start("GET", "/");
    std::string head;
    REQUIRE(reader.wire().read_head(head));
    CHECK(reader.wire().skip(kMiB));  // by now it flows
  }
  // 16 KiB each, with twice that for what a connection and its exchange take; a large block each would be 6 MiB.
  CHECK(proxy.memory() < before + kReaders * 48 * 1024 + 2 * kGrowth);
}

TEST_CASE("a slow API holds up the upload, not the proxy's memory") {
  Upstream upstream([&](Turn& turn) {
    turn.hold();
    CHECK(turn.wire().skip(kLarge));
    turn.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    turn.close();
  });
  Proxy proxy(upstream, {.limits = "body: 0"});
  const std::size_t before = proxy.memory();
  std::atomic<std::size_t> sent = 0;
  const std::string piece = pattern(kMiB);
  Client client(proxy);
  std::thread sender([&] {
    client.send(head_of("/", "Content-Length: " + std::to_string(kLarge)));
    for (; sent < kLarge; sent += piece.size()) client.send(piece);
  });
  CHECK(held_up(sent));
  CHECK(sent < kLarge / 2);
  CHECK(proxy.memory() < before + kGrowth);
  upstream.release();
  sender.join();
  CHECK(client.receive().status == 200);
  CHECK(proxy.memory() < before + kGrowth);
  MESSAGE((kLarge / kMiB), " MiB to a slow API: resident memory went from ", before / 1024, " to ",
          proxy.memory() / 1024, " KiB");
}

TEST_CASE("a client that does not read its response holds neither a slot nor a connection to the API") {
  Upstream upstream([](Turn& turn) { turn.answer(pattern(100'000)); });
  Proxy proxy(upstream, {.upstream = "max_connections: 2, max_idle: 2", .admission = admit(2)});
  std::vector<Client> slow;
  for (int i = 1; i <= 10; ++i) {
    slow.emplace_back(proxy).start("GET", "/");
    CHECK(eventually([&] { return upstream.requests() == i && proxy.stat("in_flight") == 0; }));
  }
  for (Client& client : slow) CHECK(client.receive().body == pattern(100'000));
  CHECK(proxy.accounts_balance());
}

}  // namespace
}  // namespace spillway::test
