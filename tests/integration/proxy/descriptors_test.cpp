// Descriptors are scarce: however many clients connect, the API, the admin listener and the health poll keep
// theirs.

#include <csignal>

#include <doctest/doctest.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"

namespace spillway::test {
namespace {

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++found;
  return found;
}

bool healthy(const Proxy& proxy) {
  return proxy.metric("spillway_upstream_healthy") == 1 && proxy.log().find("unreachable") == std::string::npos;
}

TEST_CASE("the soft limit of descriptors is raised to the hard one") {
  Upstream upstream;
  Proxy proxy(
      upstream,
      {.limits = "connections: 300", .admission = "streams: {max: 100}", .descriptors = 64, .descriptors_hard = 1000});
  std::vector<Client> clients;
  for (int i = 0; i < 200; ++i) clients.emplace_back(proxy);
  for (Client& client : clients) CHECK(client.get("/").status == 200);
  CHECK(proxy.metric("spillway_client_connections") == 200);
  CHECK(proxy.log().find("RLIMIT_NOFILE") == std::string::npos);
}

TEST_CASE(
    "connection limits above the descriptor limit are lowered with one log line; idle clients are evicted, and nothing "
    "fails") {
  for (const int workers : {1, 2}) {
    CAPTURE(workers);
    Upstream upstream;
    Settings settings{
        .workers = workers, .admission = admit(100), .more = "breaker: {enabled: true}\n", .descriptors = 128};
    Proxy proxy(upstream, settings);
    REQUIRE(proxy.await_log("RLIMIT_NOFILE is 128: limits.connections is lowered from 10000 to "));
    CHECK(proxy.page("/config").second.find("connections: 10000") == std::string::npos);
    std::vector<Client> flood;
    for (int i = 0; i < 300; ++i) {
      flood.emplace_back(proxy);
      if (i % 10 != 0) continue;
      CHECK(flood.back().get("/").status == 200);
      CHECK(proxy.page("/health").first == 200);
    }
    CHECK(flood[1].ended() == End::closed);
    CHECK(flood.back().get("/").status == 200);
    CHECK(healthy(proxy));
    proxy.configure(settings);
    proxy.signal(SIGHUP);
    REQUIRE(proxy.await_log("configuration reloaded"));
    CHECK(flood.back().get("/").status == 200);
    CHECK(count(proxy.log(), "RLIMIT_NOFILE") == 1);
    CHECK(proxy.metric("spillway_requests_total", {{"outcome", "upstream_error"}}) == 0);
    CHECK(proxy.metric("spillway_breaker_state") == 0);
    CHECK(proxy.accounts_balance());
  }
}

TEST_CASE("requests beyond the descriptors are queued or refused, and none fails") {
  Upstream upstream([](Turn& turn) {
    turn.hold();
    turn.answer();
  });
  Proxy proxy(upstream, {.admission = admit(100), .descriptors = 128});
  std::vector<Client> clients;
  for (int i = 0; i < 150; ++i) clients.emplace_back(proxy).start("GET", "/");
  REQUIRE(eventually([&] { return proxy.metric("load_shedding_rejections", {{"reason", "connections"}}) > 0; }));
  CHECK(proxy.healthcheck() == 0);
  upstream.release_all();
  int answered = 0;
  for (Client& client : clients) {
    const int status = client.receive().status;
    // 0: evicted before its request had arrived, or reset after a refusal that it did not read.
    CHECK((status == 200 || status == 503 || status == 0));
    answered += status == 200;
  }
  CHECK(answered >= 30);
  CHECK(healthy(proxy));
  CHECK(proxy.accounts_balance());
}

TEST_CASE("with too few descriptors the proxy does not start, and says why") {
  Upstream upstream;
  Proxy proxy(upstream, {.descriptors = 24});
  CHECK(proxy.wait() == 1);
  CHECK(eventually([&] { return proxy.log().find("RLIMIT_NOFILE is 24, of which ") != std::string::npos; }));
}

TEST_CASE("when descriptors run out, the log gets one line, the API is not blamed, and the proxy recovers") {
  Upstream upstream;
  Proxy proxy(upstream, {.upstream = "max_idle: 0", .more = "breaker: {enabled: true}\n"});
  std::vector<Client> clients;
  for (int i = 0; i < 20; ++i) clients.emplace_back(proxy);
  CHECK(clients.back().get("/").status == 200);
  REQUIRE(proxy.await_metric("spillway_client_connections", 20));
  proxy.limit_descriptors(3);  // new descriptors must have numbers below the limit
  std::vector<Client> more;
  for (int i = 0; i < 40; ++i) more.emplace_back(proxy);
  for (int i = 0; i < 10; ++i) {
    const int status = clients.back().get("/").status;
    CHECK((status == 503 || status == 0));
    if (status == 0) break;
  }
  REQUIRE(proxy.await_log("out of descriptors"));
  proxy.limit_descriptors(1000);
  CHECK(eventually([&] { return Client(proxy).get("/").status == 200; }));
  CHECK(count(proxy.log(), "out of descriptors") == 1);
  CHECK(proxy.metric("spillway_requests_total", {{"outcome", "upstream_error"}}) == 0);
  CHECK(proxy.metric("spillway_breaker_state") == 0);
  CHECK(healthy(proxy));
  CHECK(proxy.accounts_balance());
}

}  // namespace
}  // namespace spillway::test
