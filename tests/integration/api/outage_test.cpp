// The database fails in many ways.

#include <atomic>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "api/db/pool.hpp"
#include "tests/integration/api/client.hpp"
#include "tests/integration/api/database.hpp"
#include "tests/integration/api/program.hpp"
#include "tests/integration/api/relay.hpp"

namespace api::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
namespace json = boost::json;

std::string config(const Relay& relay, const std::string& more = "pool_size: 4, max_overflow: 2") {
  return "database: {url: \"" + relay.url() + "\", " + more + "}\n";
}

bool at_rest(Client& client) {
  const json::value health = client.request("GET", "/health").json();
  return health.at("status") == "healthy" && health.at("pool").at("checked_in") == health.at("pool").at("total") &&
         health.at("pool").at("overflow") == 0 && health.at("pool").at("waiters") == 0;
}

TEST_CASE("Without a database at the start: 503, degraded, not ready; it recovers within a second") {
  Relay relay;
  relay.refuse();
  Program api(config(relay));
  Client client(api.port());
  const auto start = Clock::now();
  const Reply login = client.request("POST", "/api/v1/auth/login", "username=admin&password=admin123");
  CHECK(login.status == 503);
  CHECK(login.headers.at("retry-after") == "1");
  CHECK(login.detail() == "The database cannot be reached, please retry");
  CHECK(Clock::now() - start < 5s);
  CHECK(client.request("GET", "/ready").status == 503);
  CHECK(client.request("GET", "/health").json().at("status") == "degraded");

  relay.restore();
  const auto back = Clock::now();
  CHECK(eventually([&] { return client.request("GET", "/ready").status == 200; }));
  CHECK(Clock::now() - back < 1s);
  client.login();
  CHECK(at_rest(client));
}

TEST_CASE("With wait_when_down a request waits out a short outage, and a long one ends it at pool_timeout") {
  Relay relay;
  Program api(config(relay, "pool_size: 2, max_overflow: 0, pool_timeout: 60s, wait_when_down: true"));
  api.await_ready();
  Client client(api.port()), watcher(api.port());
  client.login();
  relay.refuse();
  relay.cut();
  CHECK(eventually([&] { return watcher.request("GET", "/ready").status == 503; }));
  client.start("GET", "/api/v1/scholarships/1");
  const auto errors = [&] {
    return watcher.request("GET", "/health").json().at("pool").at("connection_errors").as_int64();
  };
  const std::int64_t before = errors();
  CHECK(eventually([&] { return errors() > before + 3; }));  // attempts have failed meanwhile
  relay.restore();
  CHECK(client.receive().status == 200);

  Program hasty(config(relay, "pool_size: 2, max_overflow: 0, pool_timeout: 500ms, wait_when_down: true"));
  hasty.await_ready();
  Client other(hasty.port());
  other.login();
  relay.refuse();
  relay.cut();
  const Reply refused = other.request("GET", "/api/v1/scholarships/1");
  CHECK(refused.status == 503);
  CHECK(refused.detail() == "The database cannot be reached, please retry");
}

TEST_CASE("Without a database and without requests the pool shows no waiter") {
  Relay relay;
  relay.refuse();
  Program api(config(relay));
  Client client(api.port());
  constexpr int kAttempts = 8;
  CHECK(eventually([&] {
    const json::value pool = client.request("GET", "/health").json().at("pool");
    REQUIRE(pool.at("waiters") == 0);  // a waiter that is no request would make the proxy refuse requests
    return pool.at("connection_errors").as_int64() >= kAttempts;
  }));
}

TEST_CASE("Connections that die while idle fail no request") {
  Relay relay;
  Program api(config(relay));
  api.await_ready();
  Client client(api.port());
  client.login();
  for (int i = 0; i < 50; ++i) {
    CHECK(client.request("GET", "/api/v1/scholarships/1").status == 200);
    relay.cut();
  }
  CHECK(client.request("GET", "/api/v1/scholarships/1").status == 200);
}

TEST_CASE("An API without requests notices that its database goes and returns") {
  Relay relay;
  Program api(config(relay));
  api.await_ready();
  relay.refuse();
  relay.cut();
  Client client(api.port());
  CHECK(eventually([&] { return client.request("GET", "/ready").status == 503; }));
  CHECK(client.request("GET", "/health").json().at("pool").at("connection_errors").as_int64() > 0);
  relay.restore();
  CHECK(eventually([&] { return client.request("GET", "/ready").status == 200; }));
  CHECK(eventually([&] { return at_rest(client); }));
}

TEST_CASE("A database that accepts connections and stays silent: 503 in time, and no slot leaks") {
  Relay relay;
  Program api(config(relay, "pool_size: 2, max_overflow: 0, connect_timeout: 300ms, pool_timeout: 500ms"));
  api.await_ready();
  Client client(api.port());
  client.login();
  relay.cut();
  relay.hang();
  const Reply reply = client.request("GET", "/api/v1/scholarships/1");
  CHECK(reply.status == 503);
  relay.restore();
  CHECK(eventually([&] { return client.request("GET", "/api/v1/scholarships/1").status == 200; }));
  CHECK(eventually([&] { return at_rest(client); }));
}

TEST_CASE("A query that never ends is abandoned") {
  Relay relay;
  Program api(config(relay, "pool_size: 1, max_overflow: 0, statement_timeout: 100ms, pool_timeout: 100ms"));
  api.await_ready();
  Client client(api.port());
  client.login();
  relay.hang();
  const Reply reply = client.request("GET", "/api/v1/scholarships/1");
  CHECK(reply.status == 503);
  relay.restore();
  CHECK(eventually([&] { return client.request("GET", "/api/v1/scholarships/1").status == 200; }));
  CHECK(eventually([&] { return at_rest(client); }));
}

TEST_CASE("Fifty outages under load: no slot leaks, no response is wrong, and each recovery takes less than a second") {
  Relay relay;
  Program api(config(relay));
  api.await_ready();
  Client client(api.port());
  client.login();
  std::atomic<bool> stop{false};
  std::atomic<int> good{0}, refused{0}, wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      Client own(api.port());
      own.use_token(client.token());
      const std::string id = std::to_string(1 + i);
      while (!stop) {
        const Reply reply = own.request("GET", "/api/v1/scholarships/" + id);
        if (reply.status == 200 && reply.json().at("id") == 1 + i) {
          ++good;
        } else if (reply.status == 503) {
          ++refused;
        } else {
          ++wrong;
        }
      }
    });
  }
  auto progress = [&] {
    const int before = good;
    return eventually([&] { return good > before + 8; });
  };
  std::chrono::nanoseconds slowest{0};
  for (int i = 0; i < 50; ++i) {
    REQUIRE(progress());
    if (i % 2 == 0) {
      relay.refuse();
      relay.cut();
      const int before = refused;
      CHECK(eventually([&] { return refused > before; }));
      relay.restore();
      const auto back = Clock::now();
      const int successes = good;
      CHECK(eventually([&] { return good > successes; }));
      slowest = std::max(slowest, Clock::now() - back);
    } else {
      relay.cut();
    }
  }
  stop = true;
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(slowest < 1s);
  CHECK(eventually([&] { return at_rest(client); }));
  MESSAGE("good ", good.load(), ", refused ", refused.load(), ", slowest recovery ",
          std::chrono::duration_cast<std::chrono::milliseconds>(slowest).count(), " ms");
  CHECK(eventually([&] { return relay.open() <= 4; }));
  CHECK(api.stop() == 0);
}

TEST_CASE("While the database refuses connections, every request is answered") {
  Relay relay;
  Program api(config(relay));
  api.await_ready();
  Client client(api.port());
  client.login();
  relay.refuse();
  relay.cut();
  std::atomic<int> refused{0}, wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      Client own(api.port());
      own.use_token(client.token());
      const auto end = Clock::now() + 2s;
      while (Clock::now() < end) ++(own.request("GET", "/api/v1/scholarships/1").status == 503 ? refused : wrong);
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(refused > 16);
  CHECK(client.request("GET", "/health").json().at("pool").at("waiters") == 0);
}

TEST_CASE("An opening that fails within acquire wakes its waiter") {
  net::asio::io_context context;
  db::ConnectOptions options;
  std::string error;
  REQUIRE(db::parse_connect_options("host=/nonexistent", {1s, 1s, true}, options, error));
  db::Pool pool({context.get_executor()}, options, {}, false);
  Interrupt interrupt;
  std::optional<db::CheckoutFailure> failure;
  net::asio::co_spawn(
      context.get_executor(),
      [](db::Pool& asked, Interrupt& never, std::optional<db::CheckoutFailure>& result) -> net::Task<> {
        db::Checkout checkout = co_await asked.acquire(0, never);
        result = checkout.failure;
      }(pool, interrupt, failure),
      net::asio::detached);
  context.run_for(5s);
  CHECK(failure == db::CheckoutFailure::unreachable);
}

TEST_CASE("A backend that the administrator terminates fails no request") {
  Program api("database: {url: \"" + Database::shared().url() + "\", pool_size: 2}\n");
  Client client(api.port());
  client.login();
  Session session;
  for (int i = 0; i < 20; ++i) {
    session.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'scholarship-api'"
        " AND datname = current_database()");
    CHECK(client.request("GET", "/api/v1/scholarships/1").status == 200);
  }
}

TEST_CASE("A table that is altered under a prepared statement fails no request") {
  Program api("database: {url: \"" + Database::shared().url() + "\", pool_size: 2}\n");
  Client client(api.port());
  client.login();
  Session session;
  for (int i = 0; i < 3; ++i) {
    session.run("ALTER TABLE users ALTER COLUMN password_hash TYPE varchar");
    CHECK(client.request("POST", "/api/v1/auth/login", "username=admin&password=admin123").status == 200);
    session.run("ALTER TABLE users ALTER COLUMN password_hash TYPE text");
    CHECK(client.request("POST", "/api/v1/auth/login", "username=admin&password=admin123").status == 200);
  }
}

TEST_CASE("All endpoints work without prepared statements") {
  Program api("database: {url: \"" + Database::shared().url() + "\", prepared_statements: false}\n");
  Client client(api.port());
  client.login();
  CHECK(client.request("GET", "/api/v1/search?q=engineering").status == 200);
  CHECK(client.request("GET", "/api/v1/scholarships?major=Law&deadline_after=2026-01-01").status == 200);
  CHECK(client.request("GET", "/api/v1/scholarships/1").status == 200);
}

TEST_CASE("Without tables the response is a 503 that names the command") {
  Session().run("CREATE SCHEMA IF NOT EXISTS nothing");
  Program api("database: {url: \"" + Database::shared().url() + " options='-c search_path=nothing'\"}\n");
  Client client(api.port());
  const Reply reply = client.request("POST", "/api/v1/auth/login", "username=admin&password=admin123");
  CHECK(reply.status == 503);
  CHECK(reply.detail().find("migrate") != std::string::npos);
  CHECK(client.request("GET", "/ready").status == 503);
}

TEST_CASE("A migration that is missing below the last one: not ready, and why; one that is not known does no harm") {
  Session database;
  database.run("DROP SCHEMA IF EXISTS gap CASCADE");
  database.run("CREATE SCHEMA gap");
  database.run("CREATE TABLE gap.schema_migrations AS SELECT version, name FROM public.schema_migrations");
  database.run("INSERT INTO gap.schema_migrations VALUES (9999, 'of a newer program')");
  database.run("DELETE FROM gap.schema_migrations WHERE version = 3");
  Program api("database: {url: \"" + Database::shared().url() + " options='-c search_path=gap,public'\"}\n");
  Client client(api.port());
  CHECK(eventually([&] {
    const Reply reply = client.request("GET", "/ready");
    CHECK(reply.status == 503);
    return reply.detail() == "Migration 3 is missing: run scholarship-api migrate";
  }));
  CHECK(api.await_log("migration 3 is missing"));
  database.run("INSERT INTO gap.schema_migrations VALUES (3, 'search_index')");
  api.await_ready();
  database.run("DROP SCHEMA gap CASCADE");
}

}  // namespace
}  // namespace api::test
