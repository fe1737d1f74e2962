// An API that is gone, silent or sends garbage: the client gets an error that says so, never a truncated response that
// looks whole.

#include <algorithm>
#include <atomic>

#include <doctest/doctest.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"
#include "tests/support/listener.hpp"

namespace spillway::test {
namespace {

void check_problem(const Reply& reply, int status, const char* reason) {
  CHECK(reply.status == status);
  CHECK(reply.whole);
  CHECK(reply.field("Content-Type") == "application/problem+json");
  CHECK(reply.field("Proxy-Status").starts_with("spillway; error="));
  CHECK(reply.problem("reason") == reason);
  CHECK_FALSE(reply.has("Retry-After"));
}

std::string at(const support::Listener& listener) {
  return "127.0.0.1:" + std::to_string(listener.port());
}

TEST_CASE("a request that comes back to the proxy, directly or by another one, is told at the first round") {
  const Upstream unused;
  for (const bool by_another : {false, true}) {
    CAPTURE(by_another);
    const support::Listener first, second;
    const auto before = [](const support::Listener& here, const support::Listener& there) {
      return Settings{.health = "mode: off", .inherited = here.descriptor(), .address = at(there)};
    };
    Proxy proxy(unused, before(first, by_another ? second : first));
    Proxy other(unused, before(second, first));
    for (int i = 1; i <= 3; ++i) {
      const Reply reply = Client(proxy).request("POST", "/", "", "body");
      CHECK(reply.status == 502);
      CHECK(reply.problem("reason") == "loop");
      CHECK(reply.field("Proxy-Status") == "spillway; error=proxy_loop_detected");
      CHECK(proxy.await_metric("spillway_upstream_failures_total", i, {{"cause", "loop"}}));
      CHECK(proxy.stat("parsed") == 2 * i);
      CHECK(other.stat("parsed") == (by_another ? i : 0));
    }
    CHECK(proxy.await_log("a request has come back to this proxy"));
    CHECK(proxy.stat("in_flight") == 0);
    CHECK(proxy.accounts_balance());
    CHECK(other.accounts_balance());
  }
}

TEST_CASE("proxies one behind the other are no loop, nor is a client that names one") {
  Upstream upstream;
  const support::Listener inner;
  Proxy last(upstream, {.inherited = inner.descriptor()});
  Proxy first(upstream, {.health = "mode: off", .address = at(inner)});
  CHECK(Client(first).get("/", "Via: 1.1 spillway, 1.1 spillway-0123456789ab\r\n").status == 200);
  const std::string via = field_of(upstream.seen().at(0).head, "Via");
  CHECK(via.starts_with("1.1 spillway, 1.1 spillway-0123456789ab, 1.1 spillway-"));
  CHECK(std::ranges::count(via, ',') == 3);
}

TEST_CASE("a dead API gives 502 and fails readiness until it is back") {
  for (const Upstream::Kind kind : {Upstream::Kind::tcp, Upstream::Kind::unix_socket}) {
    CAPTURE(kind == Upstream::Kind::tcp);
    Upstream upstream([](Turn& turn) { turn.answer(); }, kind);
    upstream.down();
    Proxy proxy(upstream);
    Client client(proxy);
    const Reply reply = client.get("/");
    check_problem(reply, 502, "connect_failed");
    CHECK_FALSE(reply.has("Connection"));
    CHECK(eventually([&] { return proxy.page("/ready").second.starts_with("the API is unreachable\n"); }));
    CHECK(eventually([&] { return proxy.log().find("\"the API is unreachable: ") != std::string::npos; }));
    CHECK(proxy.await_metric("spillway_upstream_healthy", 0));
    CHECK(proxy.await_metric("spillway_upstream_connect_failures_total", 1));
    CHECK(proxy.page("/health").first == 200);

    upstream.up();
    CHECK(client.get("/").status == 200);
    CHECK(eventually([&] { return proxy.page("/ready").first == 200; }));
    CHECK(proxy.await_metric("spillway_upstream_healthy", 1));

    upstream.down();
    CHECK(eventually([&] { return proxy.page("/ready").first == 503; }));
    check_problem(client.get("/"), 502, "connect_failed");
    CHECK(proxy.accounts_balance());
    CHECK(proxy.await_metric("spillway_requests_total", 2, {{"outcome", "upstream_error"}, {"code", "5xx"}}));
  }
}

TEST_CASE("a late response gives 504, and its connection is closed") {
  std::atomic<bool> left = false;
  Upstream upstream([&](Turn& turn) {
    if (turn.request() == "GET /silent") {
      left = turn.left();
    } else {
      turn.answer();
    }
  });
  Proxy proxy(upstream, {.timeouts = "response: 100ms"});
  Client client(proxy);
  check_problem(client.get("/silent"), 504, "response_timeout");
  CHECK(eventually([&] { return left.load(); }));
  // It held a slot of the API for as long as an answer would have.
  CHECK(proxy.await_metric("spillway_upstream_duration_seconds_count", 1));
  CHECK(proxy.metric("spillway_upstream_duration_seconds_sum") >= 0.1);
  CHECK(proxy.metric("spillway_upstream_failures_total", {{"cause", "response_timeout"}}) == 1);
  CHECK(proxy.metric("spillway_served_duration_seconds_count") == 0);
  CHECK(client.get("/").status == 200);
  CHECK(upstream.connections() == 2);
  CHECK(proxy.accounts_balance());
  CHECK(proxy.await_metric("spillway_requests_total", 1, {{"outcome", "timeout"}}));
}

TEST_CASE("a response body that stalls or ends too soon is cut so that the client notices") {
  const std::string length = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345";
  const std::string chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n";
  enum class Ending { silent, closed, reset };
  for (const Ending ending : {Ending::silent, Ending::closed, Ending::reset}) {
    for (const std::string& beginning : {length, chunks}) {
      CAPTURE(static_cast<int>(ending));
      CAPTURE(beginning);
      Upstream upstream([&](Turn& turn) {
        turn.send(beginning);
        turn.hold();  // until the client has the beginning
        if (ending == Ending::silent) turn.left();
        if (ending == Ending::closed) turn.close();
        if (ending == Ending::reset) turn.reset();
      });
      Proxy proxy(upstream, {.timeouts = "response: 300ms"});
      Client client(proxy);
      client.start("GET", "/");
      std::string head, body;
      REQUIRE(client.wire().read_head(head));
      upstream.release_all();
      client.wire().read_to_end(body);
      CHECK(body == (beginning == length ? "12345" : "5\r\n12345\r\n"));
      CHECK(client.wire().end() == End::reset);
      CHECK(proxy.accounts_balance());
      CHECK(proxy.await_metric("spillway_requests_total", 0, {{"outcome", "ok"}}));
    }
  }
}

TEST_CASE("a body that ends with the connection is whole after a proper close, and cut after a reset") {
  enum class Ending { closed, silent, reset };
  for (const Ending ending : {Ending::closed, Ending::silent, Ending::reset}) {
    for (const char* version : {"1.1", "1.0"}) {
      CAPTURE(static_cast<int>(ending));
      CAPTURE(version);
      Upstream upstream([&](Turn& turn) {
        turn.send("HTTP/1.1 200 OK\r\n\r\n12345");
        turn.hold();  // until the client has the beginning
        if (ending == Ending::silent) turn.left();
        if (ending == Ending::closed) turn.close();
        if (ending == Ending::reset) turn.reset();
      });
      Proxy proxy(upstream, {.timeouts = "response: 300ms"});
      Client client(proxy);
      client.send(std::string("GET / HTTP/") + version + "\r\nHost: test\r\n\r\n");
      std::string head, body;
      REQUIRE(client.wire().read_head(head));
      upstream.release_all();
      const bool chunked = version == std::string("1.1");
      if (ending == Ending::closed) {
        CHECK(read_body(client.wire(), head, true, body));
        CHECK(body == "12345");
      } else {
        client.wire().read_to_end(body);
        CHECK(body == (chunked ? "5\r\n12345\r\n" : "12345"));
        CHECK(client.wire().end() == End::reset);
      }
      CHECK(proxy.accounts_balance());
      CHECK(proxy.await_metric("spillway_requests_total", ending == Ending::closed, {{"outcome", "ok"}}));
    }
  }
}

TEST_CASE("an invalid response gives 502, and its connection is not reused") {
  using namespace std::string_literals;
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const std::vector<std::pair<const char*, std::string>> rows = {
      {"no HTTP", "hello\r\n\r\n"},
      {"HTTP/2", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"},
      {"status of two digits", "HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n"},
      {"status beyond 599", "HTTP/1.1 600 High\r\nContent-Length: 0\r\n\r\n"},
      {"bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"},
      {"NUL in a value", ok + "X: a\0b\r\nContent-Length: 0\r\n\r\n"s},
      {"obs-fold", ok + "X: a\r\n b\r\nContent-Length: 0\r\n\r\n"},
      {"length with coding", ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"two lengths", ok + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n"},
      {"unknown coding", ok + "Transfer-Encoding: gzip\r\n\r\n"},
      {"bad chunk behind the head", ok + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n"},
      {"chunk extension without a name", ok + "Transfer-Encoding: chunked\r\n\r\n3;\r\nabc\r\n0\r\n\r\n"},
      {"chunk extension that is no token", ok + "Transfer-Encoding: chunked\r\n\r\n3;bad[=x\r\nabc\r\n0\r\n\r\n"},
      {"switch that nobody asked for",
       "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"},
      {"endless head", ok + "X: " + std::string(64 * 1024, 'a')},
  };
  for (const auto& [what, raw] : rows) {
    CAPTURE(what);
    Upstream upstream([&, answer = raw](Turn& turn) {
      if (turn.request() == "GET /good") return turn.answer();
      turn.send(answer);
      turn.left();
    });
    Proxy proxy(upstream);
    Client client(proxy);
    const Reply reply = client.get("/bad");
    CHECK(reply.status == 502);
    CHECK(reply.problem("reason") == "response_invalid");
    CHECK_FALSE(reply.has("X"));
    CHECK(client.get("/good").status == 200);
    CHECK(upstream.connections() == 2);
    CHECK(proxy.accounts_balance());
  }
}

TEST_CASE("heads of responses have limits of their own") {
  std::string many;
  for (int i = 0; i < 150; ++i) many += "X-" + std::to_string(i) + ": y\r\n";
  std::string more = many;
  for (int i = 150; i < 201; ++i) more += "X-" + std::to_string(i) + ": y\r\n";
  struct Row {
    const char* what;
    std::string fields;
    int status;
  };
  const std::vector<Row> rows = {
      {"40 KiB, more than a request may have", "X: " + std::string(40 * 1024, 'a') + "\r\n", 200},
      {"150 fields, more than a request may have", many, 200},
      {"beyond 64 KiB", "X: " + std::string(64 * 1024, 'a') + "\r\n", 502},
      {"beyond 200 fields", more, 502},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Upstream upstream([&](Turn& turn) { turn.answer("ok", row.fields); });
    Proxy proxy(upstream);
    const Reply reply = Client(proxy).get("/");
    CHECK(reply.status == row.status);
    CHECK(reply.whole);
    if (row.status == 502) CHECK(reply.problem("reason") == "response_invalid");
    if (row.status == 200) CHECK(reply.head.find(row.fields.substr(0, row.fields.size() - 2)) != std::string::npos);
  }
  Upstream upstream([](Turn& turn) { turn.answer("ok", "X: " + std::string(2048, 'a') + "\r\n"); });
  Proxy small(upstream, {.limits = "response_head: 1KiB"});
  CHECK(Client(small).get("/").status == 502);
  Proxy few(upstream, {.limits = "response_headers: 1"});
  CHECK(Client(few).get("/").status == 502);
}

TEST_CASE("a health response may have a head as large as any response") {
  Upstream upstream([](Turn& turn) { turn.answer("ok", "X: " + std::string(40 * 1024, 'a') + "\r\n"); });
  Proxy proxy(upstream, {.health = "path: /large, interval: 200ms, timeout: 200ms"});
  CHECK(eventually([&] { return upstream.requests() > 2; }));
  CHECK(proxy.log().find("the API is unreachable") == std::string::npos);
  CHECK(proxy.page("/ready").first == 200);
}

TEST_CASE("an endless or huge health response fails its poll, and polling goes on") {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string filler(70'000, 'a');
  for (const std::string& answer : {chunked + "0\r\nX: " + filler + "\r\n\r\n", chunked + "5;" + filler,
                                    "HTTP/1.1 200 OK\r\nX: " + filler + "\r\n\r\n"}) {
    CAPTURE(answer.substr(0, 60));
    std::atomic<int> polls = 0;
    Upstream upstream([&](Turn& turn) {
      ++polls;
      turn.send(answer);
      turn.left();
    });
    Proxy proxy(upstream, {.health = "path: /evil, interval: 1s, timeout: 1s"});
    CHECK(eventually([&] { return polls >= 3; }));
    CHECK(proxy.await_metric("spillway_upstream_healthy", 0));
  }
}

TEST_CASE("a truncated head of a response gives 502") {
  Upstream upstream([](Turn& turn) {
    turn.send("HTTP/1.1 200 OK\r\nContent-Le");
    turn.close();
  });
  Proxy proxy(upstream);
  check_problem(Client(proxy).get("/"), 502, "response_cut");
}

TEST_CASE("a malformed chunk of a response cuts the response") {
  Upstream upstream([](Turn& turn) {
    turn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    turn.hold();
    turn.send("zz\r\n");
    turn.left();
  });
  Proxy proxy(upstream);
  Client client(proxy);
  client.start("GET", "/");
  std::string head, body;
  REQUIRE(client.wire().read_head(head));
  upstream.release();
  client.wire().read_to_end(body);
  CHECK(body == "3\r\nabc\r\n");
  CHECK(client.wire().end() == End::reset);
  CHECK(proxy.accounts_balance());
}

TEST_CASE("a response that arrives byte by byte is forwarded whole") {
  const std::string raw =
      "HTTP/1.1 200 OK\r\nX-Mark: here\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(pattern(50), 7);
  Upstream upstream([&](Turn& turn) {
    for (const char& byte : raw) turn.send({&byte, 1});
  });
  Proxy proxy(upstream);
  Client client(proxy);
  for (int i = 0; i < 3; ++i) {
    const Reply reply = client.get("/");
    CHECK(reply.status == 200);
    CHECK(reply.field("X-Mark") == "here");
    CHECK(reply.body == pattern(50));
    CHECK(reply.whole);
  }
  CHECK(upstream.connections() == 1);
}

TEST_CASE("a connect to a unix socket with a full queue is retried until the connect timeout") {
  Upstream upstream([](Turn& turn) { turn.answer(); }, Upstream::Kind::unix_socket);
  constexpr int kClients = 8;  // more than the queue holds
  const auto ask = [](const Proxy& proxy) {
    std::vector<Client> clients;
    for (int i = 0; i < kClients; ++i) clients.emplace_back(proxy).start("GET", "/");
    return clients;
  };
  {
    Proxy proxy(upstream, {.upstream = "connect_timeout: 60s"});
    upstream.pause();
    std::vector<Client> clients = ask(proxy);
    CHECK(proxy.await_metric("spillway_upstream_connects_total", kClients));
    upstream.resume();
    for (Client& client : clients) CHECK(client.receive().status == 200);
    CHECK(proxy.metric("spillway_upstream_connect_failures_total") == 0);
    CHECK(proxy.accounts_balance());
  }
  Proxy proxy(upstream, {.upstream = "connect_timeout: 50ms", .timeouts = "response: 50ms"});
  upstream.pause();
  for (Client& client : ask(proxy)) CHECK(client.receive().status == 504);
  CHECK(proxy.metric("spillway_upstream_connect_failures_total") > 0);
  upstream.resume();
  CHECK(eventually([&] { return Client(proxy).get("/").status == 200; }));
  CHECK(proxy.accounts_balance());
}

}  // namespace
}  // namespace spillway::test
