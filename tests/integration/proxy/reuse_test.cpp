// Connections to the API are reused, and clients do not see the keep-alive race.

#include <atomic>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"

namespace spillway::test {
namespace {

bool await_idle(const Proxy& proxy, int count) {
  return proxy.await_metric("spillway_upstream_connections", count, {{"state", "idle"}});
}

int times_seen(const Upstream& upstream, std::string_view request) {
  int times = 0;
  for (const Upstream::Seen& seen : upstream.seen()) times += seen.head.starts_with(std::string(request) + " ");
  return times;
}

TEST_CASE("consecutive requests share a connection to the API") {
  Upstream upstream;
  Proxy proxy(upstream);
  for (int i = 0; i < 5; ++i) CHECK(Client(proxy).get("/").status == 200);
  CHECK(upstream.connections() == 1);
  CHECK(proxy.await_metric("spillway_upstream_connects_total", 1));
  CHECK(await_idle(proxy, 1));
}

TEST_CASE("the idle connection that was used last is taken first") {
  Upstream upstream([](Turn& turn) {
    if (turn.request() == "GET /held") turn.hold();
    turn.answer(std::to_string(turn.connection()));
  });
  Proxy proxy(upstream);
  Client slow(proxy), quick(proxy);
  slow.start("GET", "/held");
  REQUIRE(eventually([&] { return upstream.inside() == 1; }));
  CHECK(quick.get("/").body == "1");
  upstream.release();
  CHECK(slow.receive().body == "0");
  CHECK(await_idle(proxy, 2));
  for (int i = 0; i < 3; ++i) CHECK(quick.get("/").body == "0");
  CHECK(await_idle(proxy, 2));
}

TEST_CASE("an idle connection that the API closes fails no request") {
  Upstream upstream([](Turn& turn) {
    turn.answer();
    if (turn.request() == "GET /last") turn.close();
  });
  Proxy proxy(upstream);
  Client client(proxy);
  CHECK(client.get("/last").status == 200);
  CHECK(await_idle(proxy, 0));
  CHECK(client.request("POST", "/", "", "body").status == 200);
  CHECK(proxy.await_metric("spillway_upstream_retries_total", 0));
  CHECK(upstream.connections() == 2);
}

TEST_CASE(
    "after the keep-alive race an idempotent request is retried on a fresh connection, and no other is sent twice") {
  struct Row {
    const char* request;
    const char* body;
    bool repeated;
  };
  const Row rows[] = {{"GET /x", "", true},    {"HEAD /x", "", true},       {"OPTIONS /x", "", true},
                      {"DELETE /x", "", true}, {"PUT /x", "small", true},   {"POST /x", "small", false},
                      {"POST /x", "", false},  {"PATCH /x", "small", false}};
  for (const bool reset : {false, true}) {
    for (const Row& row : rows) {
      CAPTURE(reset);
      CAPTURE(row.request);
      CAPTURE(row.body);
      // A connection that has carried a response closes after it has read the next request.
      Upstream upstream([&](Turn& turn) {
        turn.body();
        if (turn.number() == 0) return turn.answer("fresh");
        reset ? turn.reset() : turn.close();
      });
      Proxy proxy(upstream);
      Client client(proxy);
      CHECK(client.get("/first").status == 200);
      const std::string request = row.request;
      const std::size_t space = request.find(' ');
      const Reply reply = client.request(request.substr(0, space), request.substr(space + 1), "", row.body);
      CHECK(reply.status == (row.repeated ? 200 : 502));
      CHECK(times_seen(upstream, row.request) == (row.repeated ? 2 : 1));
      CHECK(proxy.await_metric("spillway_upstream_retries_total", row.repeated));
      if (row.repeated) CHECK(upstream.seen().back().body == row.body);
      CHECK(client.get("/after").status == 200);
      CHECK(proxy.accounts_balance());
    }
  }
}

TEST_CASE("a failure on a fresh connection is not retried") {
  Upstream upstream([](Turn& turn) { turn.close(); });
  Proxy proxy(upstream);
  const Reply reply = Client(proxy).get("/");
  CHECK(reply.status == 502);
  CHECK(reply.problem("reason") == "upstream_closed");
  CHECK(upstream.requests() == 1);
  CHECK(proxy.await_metric("spillway_upstream_retries_total", 0));
}

TEST_CASE("a connection with bytes after its response is closed, and no client gets these bytes") {
  const std::string extra = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged";
  for (const std::string& surplus : {std::string("x"), extra}) {
    CAPTURE(surplus);
    Upstream upstream([&](Turn& turn) {
      turn.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine" + surplus);
      turn.left();
    });
    Proxy proxy(upstream);
    Client client(proxy);
    for (int i = 0; i < 3; ++i) CHECK(client.get("/").body == "mine");
    CHECK(upstream.connections() == 3);
    CHECK(await_idle(proxy, 0));
  }
}

TEST_CASE("the same after a body that goes from socket to socket, or fills what it is read into") {
  // Others are about to take the connection at the moment at which it is free.
  const std::string extra = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged";
  for (const std::size_t size : {std::size_t{256} * 1024, std::size_t{3} * 1024 * 1024}) {
    CAPTURE(size);
    const std::string large =
        "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" + std::string(size, 'x') + extra;
    Upstream upstream([&](Turn& turn) {
      if (turn.request() != "GET /large") return turn.answer("mine");
      turn.send(large);
      turn.left();
    });
    Proxy proxy(upstream);
    std::atomic<bool> done = false;
    std::atomic<int> forged = 0;
    std::vector<std::jthread> others;
    for (int i = 0; i < 4; ++i) {
      others.emplace_back([&] {
        for (Client client(proxy); !done && forged == 0;) forged += client.get("/").body != "mine";
      });
    }
    Client client(proxy);
    int whole = 0;
    while (whole < 100 && forged == 0 && client.get("/large").body.size() == size) ++whole;
    done = true;
    others.clear();
    CHECK(forged == 0);
    CHECK(whole == 100);
  }
}

TEST_CASE("a request is not sent again after an informational response") {
  for (const char* interim : {"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n"}) {
    CAPTURE(interim);
    Upstream upstream([&](Turn& turn) {
      if (turn.request() == "GET /first") return turn.answer();
      turn.send(interim);
      turn.close();
    });
    Proxy proxy(upstream);
    CHECK(Client(proxy).get("/first").status == 200);
    CHECK(await_idle(proxy, 1));
    Client client(proxy);
    Reply reply = client.get("/x");
    if (reply.status == 103) reply = client.receive();
    CHECK(reply.status == 502);
    CHECK(times_seen(upstream, "GET /x") == 1);
    CHECK(proxy.await_metric("spillway_upstream_retries_total", 0));
  }
}

TEST_CASE("an idle connection on which the API sends bytes is closed") {
  Upstream upstream([](Turn& turn) {
    turn.answer();
    turn.hold();
    turn.send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
    turn.left();
  });
  Proxy proxy(upstream);
  Client client(proxy);
  CHECK(client.get("/").status == 200);
  CHECK(await_idle(proxy, 1));
  upstream.release();
  CHECK(await_idle(proxy, 0));
  CHECK(client.get("/").status == 200);
}

TEST_CASE("a response with Connection: close is whole, and the next request gets a new connection") {
  const std::string rows[] = {
      "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody",
      "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody",
      "HTTP/1.1 200 OK\r\n\r\nbody",
      "HTTP/1.0 200 OK\r\n\r\nbody",
  };
  for (const std::string& raw : rows) {
    CAPTURE(raw);
    Upstream upstream([&](Turn& turn) {
      turn.send(raw);
      turn.close();
    });
    Proxy proxy(upstream);
    Client client(proxy);
    for (int i = 0; i < 3; ++i) {
      const Reply reply = client.get("/");
      CHECK(reply.body == "body");
      CHECK(reply.whole);
      CHECK_FALSE(reply.has("Connection"));
    }
    CHECK(upstream.connections() == 3);
    CHECK(await_idle(proxy, 0));
    CHECK(proxy.accounts_balance());
  }
}

TEST_CASE("idle connections are closed after idle_timeout, and at most max_idle are kept") {
  Upstream upstream([](Turn& turn) {
    turn.hold();
    turn.answer();
  });
  Proxy proxy(upstream, {.upstream = "idle_timeout: 300ms, max_idle: 2"});
  Client clients[] = {Client(proxy), Client(proxy), Client(proxy)};
  for (Client& client : clients) client.start("GET", "/");
  CHECK(eventually([&] { return upstream.inside() == 3; }));
  CHECK(proxy.await_metric("spillway_upstream_connections", 3, {{"state", "active"}}));
  upstream.release_all();
  for (Client& client : clients) CHECK(client.receive().status == 200);
  CHECK(proxy.await_metric("spillway_upstream_connections", 0, {{"state", "active"}}));
  CHECK(await_idle(proxy, 0));
}

TEST_CASE("an idempotent request is retried only while its whole body is still buffered") {
  const std::string body = pattern(100'000);
  Upstream upstream([&](Turn& turn) {
    if (turn.number() > 0) turn.body();
    if (turn.number() == 0) return turn.answer("fresh");
    turn.close();
  });
  Proxy proxy(upstream);
  Client client(proxy);
  SUBCASE("chunked and at hand") {
    CHECK(client.get("/first").status == 200);
    client.send("PUT /x HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(pattern(3000)));
    CHECK(client.receive().body == "fresh");
    CHECK(times_seen(upstream, "PUT /x") == 2);
    CHECK(upstream.seen().back().body == pattern(3000));
  }
  SUBCASE("sent in pieces") {
    CHECK(client.get("/first").status == 200);
    client.send("PUT /x HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n" + body.substr(0, 60'000));
    REQUIRE(eventually([&] { return upstream.requests() == 2; }));
    client.send(body.substr(60'000));
    CHECK(client.receive().status == 502);
    CHECK(times_seen(upstream, "PUT /x") == 1);
  }
  SUBCASE("sent in two pieces, the last one small") {
    const std::string chunk = "ea60\r\n" + body.substr(0, 60'000) + "\r\n";
    CHECK(client.get("/first").status == 200);
    client.send("PUT /x HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk);
    REQUIRE(eventually([&] { return upstream.requests() == 2; }));
    client.send("0\r\n\r\n");
    CHECK(client.receive().status == 502);
    CHECK(times_seen(upstream, "PUT /x") == 1);
  }
  CHECK(proxy.accounts_balance());
}

}  // namespace
}  // namespace spillway::test
