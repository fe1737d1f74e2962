// The pool as clients see it: limits, waits, timeouts, new sizes. A table lock makes queries last as long as a test
// needs.

#include <csignal>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "tests/integration/api/client.hpp"
#include "tests/integration/api/database.hpp"
#include "tests/integration/api/program.hpp"

namespace api::test {
namespace {

namespace json = boost::json;

std::string config(const std::string& pool) {
  return "database: {url: \"" + Database::shared().url() + "\", " + pool + "}\n";
}

struct Pool {
  int size, checked_in, overflow, waiters;
  bool operator==(const Pool&) const = default;
};

Pool pool_of(Client& client) {
  const json::value pool = client.request("GET", "/health").json().at("pool");
  auto number = [&](const char* name) { return static_cast<int>(pool.at(name).as_int64()); };
  return {number("size"), number("checked_in"), number("overflow"), number("waiters")};
}

/// Requests that hold a connection each while the table is locked.
struct Crowd {
  Crowd(const Program& api, const std::string& token, int count) {
    for (int i = 0; i < count; ++i) {
      clients.emplace_back(api.port());
      clients.back().use_token(token);
      clients.back().start("GET", "/api/v1/scholarships/1");
    }
  }
  std::vector<Client> clients;
};

/// Connections of this API that the server knows, by state.
int backends(Session& session, const std::string& state = "%") {
  return std::stoi(
      session.value("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'scholarship-api'"
                    " AND datname = current_database() AND state LIKE '" +
                    state + "'"));
}

TEST_CASE("The pool goes from base to overflow, waiting and timeout, and back to idle") {
  Program api(config("pool_size: 2, max_overflow: 1, pool_timeout: 300ms"));
  Client client(api.port());
  client.login();
  Session session;
  {
    TableLock lock;
    Crowd crowd(api, client.token(), 3);
    CHECK(eventually([&] { return pool_of(client) == Pool{2, 0, 1, 0}; }));
    const json::value health = client.request("GET", "/health").json();
    CHECK(health.at("status") == "degraded");
    CHECK(health.at("utilization_pct") == 100.0);
    CHECK(health.at("capacity_pct") == 100.0);

    // The fourth request waits until the timeout.
    const auto start = std::chrono::steady_clock::now();
    Client fourth(api.port());
    fourth.use_token(client.token());
    fourth.start("GET", "/api/v1/scholarships/1");
    CHECK(eventually([&] { return pool_of(client).waiters == 1; }));
    const Reply refused = fourth.receive();
    const auto waited = std::chrono::steady_clock::now() - start;
    CHECK(refused.status == 503);
    CHECK(refused.headers.at("retry-after") == "1");
    CHECK(refused.detail() == "No database connection became free in time, please retry");
    CHECK(waited >= std::chrono::milliseconds(300));
    CHECK(waited < std::chrono::seconds(3));
    CHECK(backends(session) == 3);
  }
  CHECK(eventually([&] { return pool_of(client) == Pool{2, 2, 0, 0}; }));
  CHECK(eventually([&] { return backends(session) <= 2; }));  // fewer if a query was cancelled for its client
}

TEST_CASE("Waiters are served in turn when connections are returned") {
  Program api(config("pool_size: 1, max_overflow: 0"));
  Client client(api.port());
  client.login();
  Crowd crowd(api, client.token(), 0);
  {
    TableLock lock;
    crowd = Crowd(api, client.token(), 5);
    CHECK(eventually([&] { return pool_of(client).waiters == 4; }));
  }
  for (Client& each : crowd.clients) CHECK(each.receive().status == 200);
}

TEST_CASE("A client that leaves while it waits gets no connection") {
  Program api(config("pool_size: 1, max_overflow: 0"));
  Client client(api.port());
  client.login();
  TableLock lock;
  Crowd holder(api, client.token(), 1);
  CHECK(eventually([&] { return pool_of(client).checked_in == 0; }));
  Crowd waiting(api, client.token(), 2);
  CHECK(eventually([&] { return pool_of(client).waiters == 2; }));
  waiting.clients.pop_back();
  CHECK(eventually([&] { return pool_of(client).waiters == 1; }));
}

TEST_CASE("A client that leaves during its query cancels the query and frees the slot") {
  Program api(config("pool_size: 2, max_overflow: 0"));
  Client client(api.port());
  client.login();
  TableLock lock;
  Session session;
  {
    Crowd crowd(api, client.token(), 2);
    CHECK(eventually([&] { return backends(session, "active") == 2; }));
  }
  CHECK(eventually([&] { return pool_of(client) == Pool{2, 2, 0, 0}; }));
  CHECK(eventually([&] { return backends(session, "active") == 0; }));
  CHECK(client.request("POST", "/api/v1/auth/login", "username=admin&password=admin123").status == 200);
}

TEST_CASE("A query that exceeds statement_timeout is ended by the server, and its connection is reused") {
  Program api(config("pool_size: 1, max_overflow: 0, statement_timeout: 200ms"));
  Client client(api.port());
  client.login();
  Session session;
  const std::string pid = session.value(
      "SELECT pid FROM pg_stat_activity WHERE application_name = 'scholarship-api' AND datname = current_database()");
  {
    TableLock lock;
    const Reply reply = client.request("GET", "/api/v1/scholarships/1");
    CHECK(reply.status == 503);
    CHECK(reply.detail() == "The database took too long to answer, please retry");
  }
  CHECK(client.request("GET", "/api/v1/scholarships/1").status == 200);
  CHECK(pid == session.value("SELECT pid FROM pg_stat_activity WHERE application_name = 'scholarship-api' AND"
                             " datname = current_database()"));
}

TEST_CASE("Sizes change on SIGHUP, without a restart") {
  Program api(config("pool_size: 1, max_overflow: 0, pool_timeout: 20s"));
  Client client(api.port());
  client.login();
  {
    TableLock lock;
    Crowd crowd(api, client.token(), 4);
    CHECK(eventually([&] { return pool_of(client) == Pool{1, 0, 0, 3}; }));
    api.rewrite_config(config("pool_size: 3, max_overflow: 1, pool_timeout: 20s"));
    api.signal(SIGHUP);
    CHECK(eventually([&] { return pool_of(client) == Pool{3, 0, 1, 0}; }));
  }
  CHECK(eventually([&] { return pool_of(client) == Pool{3, 3, 0, 0}; }));
  api.rewrite_config(config("pool_size: 1, max_overflow: 0"));
  api.signal(SIGHUP);
  CHECK(eventually([&] { return pool_of(client) == Pool{1, 1, 0, 0}; }));
  Session session;
  CHECK(eventually([&] { return backends(session) == 1; }));

  // An invalid file changes nothing.
  api.rewrite_config(config("pool_size: none"));
  api.signal(SIGHUP);
  CHECK(api.await_log("reload refused"));
  CHECK(pool_of(client) == Pool{1, 1, 0, 0});
}

TEST_CASE("echo_pool logs every open, checkout, return and close") {
  Program api(config("pool_size: 1, max_overflow: 0, echo_pool: true"));
  Client client(api.port());
  client.login();
  CHECK(api.stop() == 0);
  for (auto event : {"pool open pid=", "pool checkout pid=", "pool return pid=", "pool close pid="}) {
    CAPTURE(event);
    CHECK(api.log().find(event) != std::string::npos);
  }
}

TEST_CASE("A pool larger than max_connections is reported in the log") {
  Program api(config("pool_size: 1000"));
  CHECK(api.await_log("the pool may open 1030 connections, but the server admits"));
}

TEST_CASE("Two thousand requests from many clients leak no connection, with one worker or more") {
  for (int workers : {1, 3}) {
    CAPTURE(workers);
    Program api(config("pool_size: 3, max_overflow: 2, pool_recycle: 20ms") + "workers: " + std::to_string(workers) +
                "\n");
    Client client(api.port());
    client.login();
    std::atomic<int> good{0};
    std::atomic<bool> exceeded{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < 20; ++i) {
      threads.emplace_back([&] {
        Client own(api.port());
        own.use_token(client.token());
        for (int k = 0; k < 100; ++k) {
          good += own.request("GET", "/api/v1/scholarships/" + std::to_string(1 + k)).status == 200;
        }
      });
    }
    Session session;
    while (good < 1000) exceeded = exceeded || backends(session) > 5 + 2;  // two may be closing
    for (auto& thread : threads) thread.join();
    CHECK(good == 2000);
    CHECK_FALSE(exceeded);
    CHECK(eventually([&] { return pool_of(client) == Pool{3, 3, 0, 0}; }));
    CHECK(eventually([&] { return backends(session, "idle") <= 3 && backends(session) <= 3; }));
    CHECK(api.stop() == 0);
  }
}

}  // namespace
}  // namespace api::test
