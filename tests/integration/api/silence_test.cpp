// Connections turn silent in several ways: firewalls forget them, servers freeze, servers reach their limits.

#include <atomic>
#include <csignal>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <unistd.h>

#include "tests/integration/api/client.hpp"
#include "tests/integration/api/database.hpp"
#include "tests/integration/api/own_postgres.hpp"
#include "tests/integration/api/program.hpp"
#include "tests/integration/api/relay.hpp"

namespace api::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
namespace json = boost::json;

constexpr const char* kLookup = "/api/v1/scholarships/1";

json::value pool_of(Client& client) {
  return client.request("GET", "/health").json().at("pool");
}

std::int64_t in_use(Client& client) {
  const json::value pool = pool_of(client);
  return pool.at("total").as_int64() - pool.at("checked_in").as_int64();
}

/// Opens `count` connections and leaves them idle.
void fill_pool(const Program& api, Client& client, int count) {
  std::vector<Client> clients;
  {
    TableLock lock;
    for (int i = 0; i < count; ++i) {
      clients.emplace_back(api.port());
      clients.back().use_token(client.token());
      clients.back().start("GET", kLookup);
    }
    REQUIRE(eventually([&] { return in_use(client) == count; }));
  }
  for (Client& each : clients) REQUIRE(each.receive().status == 200);
}

long milliseconds(Clock::duration time) {
  return static_cast<long>(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
}

TEST_CASE("Twenty connections turn silent under five users: no request fails, and the pool recovers") {
  constexpr int kSize = 20;
  constexpr int kUsers = 5;
  Relay relay(Relay::Place::loopback);
  Program api("database: {url: \"" + relay.url() + "\", pool_size: " + std::to_string(kSize) + "}\n");
  Client client(api.port());
  client.login();
  fill_pool(api, client, kSize);
  REQUIRE(relay.open() == kSize);

  relay.silence();
  const auto begin = Clock::now();
  std::atomic<int> failed{0};
  std::atomic<bool> stop{false};
  std::atomic<long> slowest{0};
  std::vector<std::thread> users;
  for (int i = 0; i < kUsers; ++i) {
    users.emplace_back([&] {
      Client own(api.port());
      own.use_token(client.token());
      while (!stop) {
        const auto start = Clock::now();
        failed += own.request("GET", kLookup).status != 200;
        const long took = milliseconds(Clock::now() - start);
        if (took > slowest) slowest = took;
      }
    });
  }
  CHECK(eventually([&] { return relay.silent() == 0 && relay.open() > 0; }));
  const long whole = milliseconds(Clock::now() - begin);
  stop = true;
  for (auto& user : users) user.join();
  CHECK(failed == 0);
  CHECK(client.request("GET", "/health").json().at("status") == "healthy");
  MESSAGE("slowest request ", slowest.load(), " ms, whole after ", whole, " ms");
  CHECK(api.stop() == 0);
}

TEST_CASE("A silent connection without siblings delays its request by statement_timeout, without a failure") {
  Relay relay(Relay::Place::loopback);
  Program api("database: {url: \"" + relay.url() + "\", pool_size: 1, max_overflow: 0, statement_timeout: 2s}\n");
  Client client(api.port());
  client.login();
  for (int i = 0; i < 2; ++i) {
    CHECK(client.request("GET", kLookup).status == 200);
    relay.silence();
  }
  CHECK(client.request("GET", kLookup).status == 200);
  CHECK(eventually([&] { return relay.silent() == 0; }));
}

TEST_CASE("A slow query is not taken for a silent connection") {
  Relay relay(Relay::Place::loopback);
  Program api("database: {url: \"" + relay.url() + "\", pool_size: 4, statement_timeout: 60s}\n");
  Client client(api.port());
  client.login();
  fill_pool(api, client, 4);
  Client slow(api.port());
  slow.use_token(client.token());
  {
    TableLock lock;
    slow.start("GET", kLookup);
    REQUIRE(eventually([&] { return in_use(client) == 1; }));
    // Long enough for the idle connections to be pinged and to answer.
    const auto start = Clock::now();
    REQUIRE(eventually([&] { return Clock::now() - start > 2500ms; }));
    CHECK(in_use(client) == 1);
  }
  CHECK(slow.receive().status == 200);
  CHECK(pool_of(client).at("connection_errors") == 0);
}

TEST_CASE("SIGTERM ends the process although a cancel request to a frozen PostgreSQL hangs") {
  OwnPostgres postgres;
  postgres.fill();
  Program api("database: {url: \"" + postgres.url() + "\", pool_size: 2}\n");
  Client watcher(api.port());
  watcher.login();
  Session session(postgres.url());
  session.run("BEGIN; LOCK TABLE scholarships");
  {
    Client gone(api.port());
    gone.use_token(watcher.token());
    gone.start("GET", kLookup);
    REQUIRE(eventually([&] { return in_use(watcher) == 1; }));
    postgres.freeze();
  }
  // First the query is cancelled, then its connection is closed.
  CHECK(eventually([&] { return in_use(watcher) == 0; }));

  CHECK(api.stop() == 0);
}

TEST_CASE("At the server's limit of connections the open ones serve, and the database counts as reachable") {
  constexpr int kLimit = 2;
  Session session;
  const std::string role = "api_limited_" + std::to_string(::getpid());
  session.run("CREATE ROLE " + role + " LOGIN CONNECTION LIMIT " + std::to_string(kLimit));
  session.run("GRANT SELECT ON ALL TABLES IN SCHEMA public TO " + role);
  {
    Program api("database: {url: \"" + Database::shared().url() + " user=" + role + "\", pool_size: 2}\n");
    Client client(api.port());
    client.login();
    api.await_ready();
    std::vector<Client> clients;
    {
      TableLock lock;
      for (int i = 0; i < kLimit + 2; ++i) {
        clients.emplace_back(api.port());
        clients.back().use_token(client.token());
        clients.back().start("GET", kLookup);
      }
      // Some openings have failed meanwhile.
      CHECK(eventually([&] {
        CHECK(client.request("GET", "/ready").status == 200);
        return pool_of(client).at("connection_errors").as_int64() >= 3;
      }));
    }
    for (Client& each : clients) CHECK(each.receive().status == 200);
    CHECK(eventually([&] { return in_use(client) == 0; }));
    CHECK(client.request("GET", "/ready").status == 200);
    CHECK(client.request("GET", "/health").json().at("status") == "healthy");
    CHECK(api.stop() == 0);
  }
  session.run("DROP OWNED BY " + role);
  session.run("DROP ROLE " + role);
}

}  // namespace
}  // namespace api::test
