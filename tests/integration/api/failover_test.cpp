// Several hosts in one URL, some of them dead or silent, and two real clusters of which one replaces the other.

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <thread>
#include <vector>

#include <boost/asio.hpp>
#include <doctest/doctest.h>

#include "tests/integration/api/client.hpp"
#include "tests/integration/api/database.hpp"
#include "tests/integration/api/own_postgres.hpp"
#include "tests/integration/api/program.hpp"
#include "tests/integration/api/relay.hpp"

namespace api::test {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;

constexpr const char* kLookup = "/api/v1/scholarships/1";

/// Accepts connections into its backlog and stays silent.
class SilentHost {
 public:
  explicit SilentHost(const char* address = "127.0.0.1", int port = 0)
      : acceptor_(loop_, asio::ip::tcp::endpoint(asio::ip::make_address(address), static_cast<unsigned short>(port))) {}
  int port() const { return acceptor_.local_endpoint().port(); }

 private:
  asio::io_context loop_;
  asio::ip::tcp::acceptor acceptor_;
};

std::string database_name() {
  return Session().value("SELECT current_database()");
}

/// With a resolver that knows the names of tests/support/preload/names.cpp.
Start with_names(const std::string& config) {
  const char* options = std::getenv("ASAN_OPTIONS");
  return {config,
          {},
          {{"LD_PRELOAD", PRELOADED_NAMES},
           {"ASAN_OPTIONS", std::string(options ? options : "") + ":verify_asan_link_order=0"}},
          {}};
}

TEST_CASE("If the first of several hosts is silent, the next one is used") {
  SilentHost silent;
  Relay relay(Relay::Place::loopback);
  const std::string url = "postgresql://" + Database::shared().user() + "@127.0.0.1:" + std::to_string(silent.port()) +
                          ",127.0.0.1:" + std::to_string(relay.port()) + "/" + database_name() +
                          "?target_session_attrs=read-write";
  Program api("database: {url: \"" + url + "\", pool_size: 4, connect_timeout: 2s}\n");
  api.await_ready();
  Client client(api.port());
  client.login();
  for (int i = 0; i < 5; ++i) {
    CHECK(client.request("GET", kLookup).status == 200);
    relay.cut();
  }
  CHECK(api.stop() == 0);
}

TEST_CASE("With silent hosts only, the API is not ready and the log names each host") {
  SilentHost one, two;
  const std::string first = std::to_string(one.port()), second = std::to_string(two.port());
  Program api("database: {url: \"host=127.0.0.1,127.0.0.1 port=" + first + "," + second +
              "\", connect_timeout: 100ms}\n");
  CHECK(api.await_log("no answer in time from 127.0.0.1, port " + first + "; no answer in time from 127.0.0.1, port " +
                      second));
  CHECK(Client(api.port()).request("GET", "/ready").status == 503);
}

TEST_CASE("One name has a silent address and a working one") {
  Relay relay(Relay::Place::loopback);
  SilentHost silent("127.0.0.2", relay.port());
  Program api(
      with_names("database: {url: \"" + relay.url() + " host=two.test\", connect_timeout: 2s, echo_pool: true}\n"));
  CHECK(api.await_log("pool open pid="));
  CHECK(relay.open() > 0);
  CHECK(api.stop() == 0);
}

TEST_CASE("A look-up that hangs blocks neither the next host nor the end of the process") {
  Relay relay(Relay::Place::loopback);
  Program api(with_names("database: {url: \"" + relay.url() + " host=never.test,127.0.0.1 port=1," +
                         std::to_string(relay.port()) + "\", connect_timeout: 2s, echo_pool: true}\n"));
  CHECK(api.await_log("pool open pid="));
  CHECK(api.stop() == 0);

  Program alone(with_names("database: {url: \"" + relay.url() + " host=never.test\", connect_timeout: 2s}\n"));
  CHECK(alone.await_log("cannot look up never.test: no answer in time"));
  CHECK(alone.stop() == 0);
}

/// Two clusters, the second a standby of the first, and the API in front of both.
struct Pair {
  Pair() {
    first.fill();
    second.emplace(&first);
    const std::string url = "postgresql://spillway@/spillway?host=" + first.host() + "," + second->host() +
                            "&port=5432,5432&target_session_attrs=read-write";
    api.emplace("database: {url: \"" + url + "\", pool_size: 4, connect_timeout: 3s}\n");
    api->await_ready();
    client.emplace(api->port());
    client->login();
  }
  static int connections(const OwnPostgres& postgres) {
    return std::stoi(Session(postgres.url())
                         .value("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'scholarship-api'"));
  }
  void promote() const {
    // The standby has all data before the primary ends.
    Session primary(first.url()), standby(second->url());
    const std::string position = primary.value("SELECT pg_current_wal_lsn()");
    REQUIRE(eventually(
        [&] { return standby.value("SELECT pg_last_wal_replay_lsn() >= '" + position + "'::pg_lsn") == "t"; }));
    CHECK(standby.value("SELECT pg_promote()") == "t");
  }

  OwnPostgres first;
  std::optional<OwnPostgres> second;
  std::optional<Program> api;
  std::optional<Client> client;
};

TEST_CASE("Fail-over: the primary dies, its standby is promoted, and the pool finds it") {
  Pair pair;
  CHECK(pair.connections(pair.first) > 0);
  CHECK(pair.connections(*pair.second) == 0);
  pair.first.end(SIGQUIT);
  CHECK(pair.client->request("GET", kLookup).status == 503);
  CHECK(Session(pair.second->url()).value("SELECT pg_promote()") == "t");
  CHECK(eventually([&] { return pair.client->request("GET", "/ready").status == 200; }));
  CHECK(pair.client->request("GET", kLookup).status == 200);
  CHECK(pair.connections(*pair.second) > 0);
  CHECK(pair.api->stop() == 0);
}

TEST_CASE("Fail-over: the primary is frozen and its standby promoted") {
  Pair pair;
  pair.promote();
  pair.first.freeze();
  CHECK(eventually([&] { return pair.client->request("GET", kLookup).status == 200; }));
  CHECK(eventually([&] { return pair.connections(*pair.second) > 0; }));
  CHECK(pair.api->stop() == 0);
}

TEST_CASE("Switch-over: the primary becomes read-only, its connections are not reused, and no request fails") {
  Pair pair;
  std::atomic<bool> stop{false};
  std::atomic<int> failed{0};
  std::vector<std::thread> users;
  for (int i = 0; i < 4; ++i) {
    users.emplace_back([&] {
      Client own(pair.api->port());
      own.use_token(pair.client->token());
      while (!stop) failed += own.request("GET", kLookup).status != 200;
    });
  }
  pair.promote();
  Session old(pair.first.url());
  old.run("ALTER SYSTEM SET default_transaction_read_only = on");
  old.run("SELECT pg_reload_conf()");
  CHECK(eventually([&] { return pair.connections(pair.first) == 0 && pair.connections(*pair.second) > 0; }));
  stop = true;
  for (auto& user : users) user.join();
  CHECK(failed == 0);
  CHECK(pair.api->stop() == 0);
}

TEST_CASE("A server that refuses to write (25006) is replaced, whatever target_session_attrs says") {
  OwnPostgres first;
  first.fill();
  OwnPostgres second(&first);
  // A query that writes, which only a primary accepts.
  Session primary(first.url());
  primary.run("CREATE SEQUENCE looks");
  primary.run("ALTER TABLE scholarships RENAME TO scholarships_table");
  primary.run("CREATE VIEW scholarships AS SELECT * FROM scholarships_table WHERE nextval('looks') > 0");
  const std::string position = primary.value("SELECT pg_current_wal_lsn()");
  Session standby(second.url());
  REQUIRE(eventually(
      [&] { return standby.value("SELECT pg_last_wal_replay_lsn() >= '" + position + "'::pg_lsn") == "t"; }));
  // As when a name moves from one server to the other.
  Relay relay(Relay::Place::folder, second.host());
  Program api("database: {url: \"postgresql://spillway@/spillway?host=" + relay.folder() + "," + first.host() +
              "&port=5432,5432\", pool_size: 4}\n");
  api.await_ready();
  Client client(api.port());
  client.login();
  const int before = relay.opened();
  relay.refuse();
  CHECK(client.request("GET", kLookup).status == 200);
  CHECK(relay.opened() == before);
  CHECK(eventually([&] { return relay.open() == 0; }));
  CHECK(client.request("GET", kLookup).status == 200);
  CHECK(api.stop() == 0);
}

}  // namespace
}  // namespace api::test
