// PostgreSQL is killed under load and started again, RESTARTS times (an environment variable, 4 by default): in turn by
// `pg_ctl stop -m immediate` and by `kill -9`.

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "tests/integration/api/client.hpp"
#include "tests/integration/api/database.hpp"
#include "tests/integration/api/own_postgres.hpp"
#include "tests/integration/api/program.hpp"

namespace api::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
namespace json = boost::json;

constexpr int kUsers = 8;

bool at_rest(int port) {
  const json::value health = Client(port).request("GET", "/health").json();
  const json::value& pool = health.at("pool");
  return health.at("status") == "healthy" && pool.at("checked_in") == pool.at("total") && pool.at("overflow") == 0 &&
         pool.at("waiters") == 0;
}

TEST_CASE("PostgreSQL is killed under load many times: no slot leaks, none is dirty, service recovers") {
  const char* wanted = std::getenv("RESTARTS");
  const int restarts = wanted ? std::stoi(wanted) : 4;
  OwnPostgres postgres;
  const std::string config = "database: {url: \"" + postgres.url() + "\", pool_size: 4, max_overflow: 2}\n";
  postgres.fill();
  Program api(config);
  api.await_ready();
  Client client(api.port());
  client.login();

  std::atomic<bool> stop{false};
  std::atomic<int> good{0}, refused{0}, wrong{0};
  std::vector<std::thread> threads;
  for (int i = 1; i <= kUsers; ++i) {
    threads.emplace_back([&, i] {
      Client own(api.port());
      own.use_token(client.token());
      while (!stop) {
        const Reply reply = own.request("GET", "/api/v1/scholarships/" + std::to_string(i));
        if (reply.status == 200 && reply.json().at("id") == i) {
          ++good;
        } else if (reply.status == 503) {
          ++refused;
          // Wait as Retry-After asks, but shorter, and leave the processor to PostgreSQL's start.
          std::this_thread::sleep_for(5ms);
        } else {
          ++wrong;
        }
      }
    });
  }
  Clock::duration slowest{0};
  bool progress = true;
  for (int i = 0; i < restarts && progress; ++i) {
    postgres.end(i % 2 == 0 ? SIGQUIT : SIGKILL);
    const int seen = refused;
    CHECK(eventually([&] { return refused > seen; }));
    postgres.start();
    const auto accepting = Clock::now();
    const int before = good;
    progress = eventually([&] { return good > before; });
    slowest = std::max(slowest, Clock::now() - accepting);
    CHECK(progress);
  }
  stop = true;
  for (auto& thread : threads) thread.join();

  CHECK(wrong == 0);
  CHECK(eventually([&] { return at_rest(api.port()); }));
  Session session(postgres.url());
  const std::string of_api = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'scholarship-api'";
  CHECK(eventually([&] { return std::stoi(session.value(of_api)) <= 4; }));
  CHECK(session.value(of_api + " AND state <> 'idle'") == "0");
  MESSAGE(restarts, " restarts: ", good.load(), " answered, ", refused.load(), " refused, slowest return ",
          std::chrono::duration_cast<std::chrono::milliseconds>(slowest).count(), " ms after PostgreSQL");
  CHECK(api.stop() == 0);
}

}  // namespace
}  // namespace api::test
