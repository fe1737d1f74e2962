// Hostile clients: thousands of idle, slow or stalled connections. Other clients are still served.

#include <algorithm>

#include <doctest/doctest.h>
#include <sys/resource.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"

namespace spillway::test {
namespace {

constexpr std::size_t kMiB = 1024 * 1024;

/// Raises the limit of descriptors, which the proxy inherits. False: the system does not allow it.
bool allow_descriptors(rlim_t count) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::max(limit.rlim_cur, count);
  limit.rlim_max = std::max(limit.rlim_max, count);
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

TEST_CASE("10,000 idle connections take little memory, delay no request, and are evicted at the limit") {
  constexpr std::size_t kIdle = 10'000;
  REQUIRE(allow_descriptors(20'000));
  Upstream upstream;
  Proxy proxy(upstream, {.limits = "connections: 10000"});
  CHECK(Client(proxy).get("/").status == 200);
  CHECK(proxy.await_metric("spillway_client_connections", 0));
  const std::size_t before = proxy.memory();
  {
    std::vector<Client> idle;
    idle.reserve(kIdle);
    for (std::size_t i = 0; i < kIdle; ++i) {
      idle.emplace_back(proxy);
      // Some send a request before they fall silent.
      if (i % 10 == 0) CHECK(idle.back().get("/").status == 200);
    }
    CHECK(proxy.await_metric("spillway_client_connections", kIdle));
    const std::size_t each = (proxy.memory() - before) / kIdle;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // sanitizers add memory of their own
    CHECK(each < 4096);
#endif
    MESSAGE("an idle connection costs ", each, " bytes of resident memory");

    Client one_more(proxy);
    for (int i = 0; i < 100; ++i) CHECK(one_more.get("/").status == 200);
    CHECK(idle[1].ended() == End::closed);  // the oldest of those that sent nothing
    CHECK(idle.back().get("/").status == 200);
    CHECK(proxy.await_metric("spillway_client_connections", kIdle));
  }
  CHECK(proxy.await_metric("spillway_client_connections", 0));
  CHECK(proxy.accounts_balance());
}

TEST_CASE("under a flood of unfinished requests open connections are served and new ones refused") {
  Upstream upstream([](Turn& turn) {
    if (turn.request() == "GET /held") turn.hold();
    turn.answer();
  });
  constexpr int kLimit = 50, kFlood = 500;
  for (const int workers : {1, 2}) {
    CAPTURE(workers);
    Proxy proxy(upstream, {.workers = workers, .timeouts = "request_head: 60s", .limits = "connections: 50"});
    Client kept(proxy);
    kept.start("GET", "/held");
    REQUIRE(eventually([&] { return upstream.inside() == 1; }));
    {
      std::vector<Client> flood;
      for (int i = 0; i < kFlood; ++i) {
        flood.emplace_back(proxy).send("GET / HTTP/1.1\r\nHost: te");
      }
      // Accepted connections wait for the rest of their requests. All others got a refusal, or were closed before they
      // sent anything.
      CHECK(eventually([&] {
        return std::count_if(flood.begin(), flood.end(), [](Client& client) { return client.wire().at_rest(); }) <
               kLimit;
      }));
      CHECK(proxy.metric("load_shedding_rejections", {{"reason", "connections"}}) > 0);
      CHECK(proxy.stat("client_connections") <= kLimit);
      upstream.release();
      CHECK(kept.receive().status == 200);
    }
    CHECK(eventually([&] { return Client(proxy).get("/").status == 200; }));
    CHECK(proxy.accounts_balance());
  }
}

TEST_CASE("limits.connections_per_client bounds the connections of an address, except those of a trusted proxy") {
  Upstream upstream;
  constexpr int kLimit = 5;
  for (const int workers : {1, 2}) {
    CAPTURE(workers);
    Proxy proxy(upstream, {.workers = workers, .limits = "connections_per_client: 5"});
    std::vector<Client> clients;
    for (int i = 0; i < kLimit; ++i) CHECK(clients.emplace_back(proxy).get("/").status == 200);
    for (int i = 0; i < 3; ++i) {
      const Reply reply = Client(proxy).receive();
      CHECK(reply.status == 503);
      CHECK(reply.problem("reason") == "connections");
      CHECK(reply.has("Retry-After"));
      CHECK(reply.field("Connection") == "close");
    }
    CHECK(proxy.await_metric("load_shedding_rejections", 3, {{"reason", "connections"}}));
    for (Client& client : clients) CHECK(client.get("/").status == 200);  // no client was evicted
    clients.pop_back();
    CHECK(eventually([&] { return Client(proxy).get("/").status == 200; }));
    CHECK(proxy.accounts_balance());
  }
  Proxy trusting(upstream, {.limits = "connections_per_client: 5", .more = "trusted_proxies: [127.0.0.0/8]\n"});
  std::vector<Client> clients;
  for (int i = 0; i < 3 * kLimit; ++i) CHECK(clients.emplace_back(trusting).get("/").status == 200);
}

TEST_CASE("unfinished heads share a bound of memory, and beyond it the oldest are evicted") {
  Upstream upstream;
  constexpr std::size_t kHeads = 5'000;
  REQUIRE(allow_descriptors(20'000));
  Proxy proxy(upstream, {.timeouts = "request_head: 300s", .limits = "head: 1MiB"});
  CHECK(Client(proxy).get("/").status == 200);
  const std::size_t before = proxy.memory();
  {
    std::vector<Client> heads;
    heads.reserve(kHeads);
    for (std::size_t i = 0; i < kHeads; ++i) heads.emplace_back(proxy).send("GET / HTTP/1.1\r\nHost: te");
    CHECK(eventually([&] { return proxy.stat("client_connections") == kHeads; }));
    heads.front().send("st\r\n\r\n");
    CHECK(heads.front().receive().status == 200);
    const std::size_t each = (proxy.memory() - before) / kHeads;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    CHECK(each < 10 * 1024);
#endif
    MESSAGE("an unfinished head costs ", each, " bytes of resident memory");
  }
  CHECK(proxy.await_metric("spillway_client_connections", 0));

  // Fewer than 64 heads of nearly 1 MiB fit.
  const std::string large = "GET / HTTP/1.1\r\nHost: test\r\nX: " + std::string(kMiB - 1000, 'a');
  std::vector<Client> heads;
  for (int i = 0; i < 80; ++i) CHECK(heads.emplace_back(proxy).send(large));
  CHECK(proxy.await_metric("spillway_bad_requests_total", 80 - 63, {{"code", "408"}}));
  const Reply reply = heads.front().receive();  // closed without lingering, so the client may see a reset
  CHECK((reply.status == 408 || heads.front().wire().end() == End::reset));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK(proxy.memory() - before < 160 * kMiB);
#endif
  heads.back().send("\r\n\r\n");
  CHECK(heads.back().receive().status == 200);
  CHECK(proxy.accounts_balance());
}

TEST_CASE("at the limit of connections one that is idle at another worker is evicted, too") {
  Upstream upstream;
  constexpr int kLimit = 8;
  Proxy proxy(upstream, {.workers = 4, .limits = "connections: 8"});
  std::vector<Client> clients;
  for (int i = 0; i < 10 * kLimit; ++i) CHECK(clients.emplace_back(proxy).get("/").status == 200);
  CHECK(proxy.await_metric("spillway_client_connections", kLimit));
  CHECK(proxy.metric("load_shedding_rejections", {{"reason", "connections"}}) == 0);
  CHECK(clients.back().get("/").status == 200);
  CHECK(proxy.accounts_balance());
}

TEST_CASE("a client that does not read a response larger than the buffers is reset, and its slot is free again") {
  const std::string large = pattern(128 * kMiB);  // two receive buffers may grow to 32 MiB each
  Upstream upstream([&](Turn& turn) {
    if (turn.request() != "GET /large") return turn.answer();
    turn.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(large.size()) + "\r\n\r\n");
    turn.send(large);
  });
  Proxy proxy(upstream, {.timeouts = "response: 1s", .admission = admit(1)});
  Client reader(proxy);
  reader.start("GET", "/large");
  REQUIRE(eventually([&] { return upstream.requests() == 1; }));
  CHECK(eventually([&] { return proxy.stat("in_flight") == 0; }));
  CHECK_FALSE(reader.receive().whole);
  CHECK(reader.wire().end() == End::reset);
  CHECK(Client(proxy).get("/").status == 200);
  CHECK(proxy.accounts_balance());
}

TEST_CASE("slow small bodies hold no slots: other requests are served meanwhile") {
  Upstream upstream([](Turn& turn) { turn.answer(turn.body()); });
  Proxy proxy(upstream, {.timeouts = "request_body: 60s", .admission = admit(4) + ", queue: {max_wait: 0}"});
  std::vector<Client> slow;
  const auto asks = [&](int i) { return i % 2 == 0 ? std::string("Expect: 100-continue\r\n") : std::string(); };
  for (int i = 0; i < 20; ++i) {
    // Slots are held for a moment only, so a request gets one soon.
    CHECK(eventually([&] { return proxy.stat("in_flight") == 0; }));
    slow.emplace_back(proxy).send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n" + asks(i) + "\r\n");
    if (i % 2 == 0) CHECK(slow.back().receive().status == 100);
    slow.back().send("abc");
  }
  CHECK(eventually([&] { return proxy.stat("in_flight") == 0; }));
  CHECK(upstream.requests() == 0);
  for (int i = 0; i < 20; ++i) CHECK(Client(proxy).get("/").status == 200);
  // A late body is forwarded once it is whole.
  for (Client& client : slow) {
    client.send("defghij");
    const Reply reply = client.receive();
    CHECK(reply.status == 200);
    CHECK(reply.body == "abcdefghij");
  }
  CHECK(proxy.accounts_balance());
}

TEST_CASE("endless requests at the admin listener take neither memory nor a connection for long") {
  Upstream upstream;
  Proxy proxy(upstream);
  const std::string chunked = "GET /health HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  // More than the listener's limit of connections.
  for (int i = 0; i < 70; ++i) {
    Client trailer(proxy.admin_port());
    trailer.send(chunked + "0\r\nX: " + std::string(70'000, 'a') + "\r\n\r\n");
    std::string rest;
    trailer.wire().read_to_end(rest);
  }
  CHECK(proxy.page("/health").first == 200);
  Client line(proxy.admin_port());
  const std::size_t before = proxy.memory();
  line.send(chunked + "5;");
  const std::string piece(kMiB, 'a');
  for (int i = 0; i < 64 && line.send(piece); ++i) {
  }
  CHECK(proxy.memory() < before + 8 * kMiB);
}

}  // namespace
}  // namespace spillway::test
