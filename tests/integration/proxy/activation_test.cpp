// With systemd's socket activation the socket outlives the process, so a restart refuses no connection.

#include <atomic>
#include <csignal>
#include <optional>
#include <thread>

#include <doctest/doctest.h>
#include <unistd.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"
#include "tests/support/listener.hpp"

namespace spillway::test {
namespace {

TEST_CASE("20 restarts under load lose no connection") {
  constexpr int kRestarts = 20;
  constexpr int kClients = 4;
  for (const int workers : {1, 2}) {
    CAPTURE(workers);
    const support::Listener held;
    Upstream upstream;
    const Settings settings{
        .workers = workers, .more = "log: {format: json, access: off}\n", .inherited = held.descriptor()};
    std::optional<Proxy> proxy(std::in_place, upstream, settings);
    CHECK(proxy->port() == held.port());
    std::atomic<bool> over = false;
    std::atomic<int> answered = 0, failed = 0;
    std::vector<std::thread> clients;
    for (int c = 0; c < kClients; ++c) {
      clients.emplace_back([&] {
        while (!over && failed == 0) {
          Client client(held.port());
          const bool good = client.get("/", "Connection: close\r\n").status == 200;
          ++(good ? answered : failed);
        }
      });
    }
    for (int i = 0; i < kRestarts / 2 && failed == 0; ++i) {
      const int before = answered;
      proxy.emplace(upstream, settings);  // the old process ends first, with status 0
      CHECK(eventually([&] { return answered > before + kClients || failed > 0; }));
    }
    over = true;
    for (std::thread& client : clients) client.join();
    CHECK(failed == 0);
    CHECK(proxy->accounts_balance());
    MESSAGE(answered.load(), " requests, ", failed.load(), " failed");
  }
}

TEST_CASE("a client that has connected and not yet spoken when the process is told to stop is answered") {
  Upstream upstream;
  Proxy proxy(upstream);
  Client fresh(proxy), silent(proxy), idle(proxy);
  CHECK(idle.get("/").status == 200);
  REQUIRE(proxy.await_metric("spillway_client_connections", 3));
  proxy.signal(SIGTERM);
  REQUIRE(idle.ended() == End::closed);  // the worker drains
  const Reply reply = fresh.get("/");
  CHECK(reply.status == 200);
  CHECK(reply.field("Connection") == "close");
  CHECK(silent.ended() == End::closed);
  CHECK(proxy.wait() == 0);
}

}  // namespace
}  // namespace spillway::test
