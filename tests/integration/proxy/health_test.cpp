// When the API counts as reachable, and what is told of its polls.

#include <atomic>
#include <csignal>
#include <functional>
#include <thread>

#include <doctest/doctest.h>
#include <sys/socket.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"
#include "tests/support/listener.hpp"

namespace spillway::test {
namespace {

bool ready_says(const Proxy& proxy, const std::string& text) {
  if (eventually([&] { return proxy.page("/ready").second.find(text) != std::string::npos; })) return true;
  MESSAGE(proxy.page("/ready").second);
  return false;
}

TEST_CASE("an answer outside `expect` fails the poll, and log, /ready and /stats say which") {
  Upstream upstream([](Turn& turn) { turn.answer("", {}, "404 Not Found"); });
  Proxy proxy(upstream, {.health = "path: /none, interval: 50ms, timeout: 50ms"});
  CHECK(ready_says(proxy, "the API is unreachable\nGET /none: 404 in "));
  CHECK(ready_says(proxy, "ms, 3 of 3"));
  CHECK(proxy.page("/stats").second.find("\"last_poll\":\"GET /none: 404 in ") != std::string::npos);
  CHECK(proxy.await_log("the API is unreachable: GET /none: 404 in "));
  CHECK(proxy.await_log("upstream.health.mode: tcp"));
  CHECK(proxy.page("/ready").first == 503);

  proxy.configure({.health = "path: /none, interval: 50ms, timeout: 50ms, expect: '200,400-404'"});
  proxy.signal(SIGHUP);
  CHECK(eventually([&] { return proxy.page("/ready").first == 200; }));
}

TEST_CASE("an API that starts after the proxy and answers otherwise than expected is told of once") {
  Upstream upstream([](Turn& turn) { turn.answer("", {}, "404 Not Found"); });
  upstream.down();
  Proxy proxy(upstream, {.health = "path: /none, interval: 50ms, timeout: 50ms"});
  CHECK(proxy.await_log("the API is unreachable: connect: refused"));
  upstream.up();
  CHECK(proxy.await_log("the API is unreachable: GET /none: 404 in "));
  CHECK(proxy.await_log("upstream.health.mode: tcp"));
}

TEST_CASE("in mode tcp a connection is enough, and in mode off nothing is asked") {
  Upstream upstream([](Turn& turn) { turn.answer("", {}, "404 Not Found"); });
  Proxy proxy(upstream, {.health = "path: /none, mode: tcp, interval: 50ms, timeout: 50ms"});
  CHECK(eventually([&] { return proxy.page("/ready").first == 200; }));
  upstream.down();
  CHECK(ready_says(proxy, "connect: refused"));
  proxy.configure({.health = "path: /none, mode: off"});
  proxy.signal(SIGHUP);
  CHECK(eventually([&] { return proxy.page("/ready").first == 200; }));
  CHECK(upstream.requests() == 0);
}

TEST_CASE("the poll's Host is the upstream's address, or `host`") {
  Upstream upstream;
  Proxy proxy(upstream, {.health = "path: /p, interval: 50ms, timeout: 50ms"});
  REQUIRE(eventually([&] { return !upstream.seen().empty(); }));
  CHECK(field_of(upstream.seen().front().head, "Host") == upstream.address());
  proxy.configure({.health = "path: /p, host: api.example.com, interval: 50ms, timeout: 50ms"});
  proxy.signal(SIGHUP);
  CHECK(eventually([&] { return field_of(upstream.seen().back().head, "Host") == "api.example.com"; }));
}

TEST_CASE("informational responses come before the answer to a poll") {
  Upstream upstream([](Turn& turn) {
    turn.send("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n");
    turn.answer();
  });
  Proxy proxy(upstream, {.health = "path: /p, interval: 50ms, timeout: 50ms"});
  CHECK(eventually(
      [&] { return proxy.page("/stats").second.find("\"last_poll\":\"GET /p: 200 in ") != std::string::npos; }));
}

TEST_CASE("silence, a reset and an invalid answer are told apart") {
  struct Row {
    std::function<void(Turn&)> script;
    const char* text;
  };
  for (const Row& row : {Row{[](Turn& turn) { turn.left(); }, "GET /p: no answer in 50 ms"},
                         Row{[](Turn& turn) { turn.reset(); }, "GET /p: connection reset"},
                         Row{[](Turn& turn) { turn.close(); }, "GET /p: closed without an answer"},
                         Row{[](Turn& turn) { turn.send("nonsense\r\n\r\n"); }, "GET /p: invalid answer"}}) {
    CAPTURE(row.text);
    Upstream upstream(row.script);
    Proxy proxy(upstream, {.health = "path: /p, interval: 50ms, timeout: 50ms"});
    CHECK(ready_says(proxy, row.text));
  }
}

TEST_CASE("an API that answers requests is ready, however its polls end") {
  Upstream upstream([](Turn& turn) {
    if (turn.request() == "GET /p") {
      turn.left();
    } else {
      turn.answer();
    }
  });
  Proxy proxy(upstream, {.health = "path: /p, interval: 200ms, timeout: 20ms"});
  Client client(proxy);
  const auto ready = [&] { return client.get("/").status == 200 && proxy.page("/ready").first == 200; };
  REQUIRE(eventually(ready));
  CHECK(proxy.page("/stats").second.find("requests are answered") != std::string::npos);
}

TEST_CASE("an idle connection gives way to the poll of an API that serves one connection at a time") {
  const support::Listener listener;
  std::atomic<bool> ended = false;
  std::thread server([&] {
    for (;;) {
      Wire wire(::accept(listener.descriptor(), nullptr, nullptr));
      if (ended || wire.descriptor() < 0) return;
      std::string head;
      while (wire.read_head(head)) wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
  });
  {
    Proxy proxy(
        "listen: 127.0.0.1:0\nadmin: {listen: '127.0.0.1:0'}\nlog: {format: json}\nupstream: {address: '127.0.0.1:" +
        std::to_string(listener.port()) + "', health: {interval: 200ms, timeout: 200ms}}\n");
    const auto last_poll = [&](const char* text) {
      return proxy.page("/stats").second.find("\"last_poll\":\"GET /health: " + std::string(text)) != std::string::npos;
    };
    CHECK(eventually([&] { return last_poll("200"); }));
    CHECK(Client(proxy).get("/").status == 200);
    CHECK(proxy.await_metric("spillway_upstream_connections", 0, {{"state", "idle"}}));
    CHECK(eventually([&] { return last_poll("200"); }));
    CHECK(proxy.log().find("unreachable") == std::string::npos);
  }
  ended = true;
  const Wire wake = Wire::tcp(listener.port());
  server.join();
}

}  // namespace
}  // namespace spillway::test
