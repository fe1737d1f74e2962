// Logins that fail, repeat, and come in storms.

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "tests/integration/api/client.hpp"
#include "tests/integration/api/database.hpp"
#include "tests/integration/api/program.hpp"

namespace api::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

std::string config(const std::string& auth) {
  return "database: {url: \"" + Database::shared().url() +
         "\"}\nauth: {secret: for-tests-only-for-tests-only-0123456789, " + auth + "}\n";
}

Reply login(Client& client, const std::string& user, const std::string& password, const std::string& headers = {}) {
  return client.request("POST", "/api/v1/auth/login", "username=" + user + "&password=" + password, headers);
}

TEST_CASE("Wrong password and unknown user look the same and cost the same") {
  Program api(config("max_failures: 0"));
  api.await_ready();
  Client client(api.port());
  login(client, "admin", "admin123");
  // Compare processor time, which a busy machine does not change.
  auto cost_of = [&](const std::string& user) {
    auto least = std::chrono::nanoseconds::max();
    for (int i = 0; i < 8; ++i) {
      const auto before = api.cpu_time();
      const Reply reply = login(client, user, "wrong");
      least = std::min(least, api.cpu_time() - before);
      CHECK(reply.status == 401);
      CHECK(reply.detail() == "Wrong username or password");
    }
    return least;
  };
  const auto known = cost_of("admin");
  const auto unknown = cost_of("nobody");
  CHECK(unknown > known / 2);
  CHECK(unknown < known * 2);
}

TEST_CASE("After too many failures a user is refused at this address only, and tokens stay valid") {
  Program api(config("max_failures: 3, failure_window: 1h"));
  Client client(api.port());
  client.login();
  const std::string from_here = "X-Forwarded-For: 203.0.113.7\r\n";
  for (int i = 0; i < 3; ++i) CHECK(login(client, "admin", "wrong", from_here).status == 401);
  const Reply refused = login(client, "admin", "admin123", from_here);
  CHECK(refused.status == 429);
  CHECK(std::stoi(refused.headers.at("retry-after")) > 3000);
  // Entries that the client adds on the left are not trusted, only what the last proxy has written.
  CHECK(login(client, "admin", "admin123", "X-Forwarded-For: 198.51.100.1, 203.0.113.7\r\n").status == 429);
  CHECK(login(client, "admin", "admin123", "X-Forwarded-For: 203.0.113.7, 198.51.100.1\r\n").status == 200);
  CHECK(client.request("GET", "/api/v1/scholarships/1").status == 200);
}

TEST_CASE("Neither a forged X-Forwarded-For nor another address of its network evades the limit") {
  Program api(config("max_failures: 3, failure_window: 1h"));
  api.await_ready();
  Client client(api.port());
  for (int i = 0; i < 3; ++i) {
    const std::string made_up = "X-Forwarded-For: 198.51.100." + std::to_string(i) + "\r\n";
    CHECK(login(client, "admin", "wrong", made_up + "X-Forwarded-For: 203.0.113.7\r\n").status == 401);
    CHECK(login(client, "admin", "wrong", "X-Forwarded-For: 2001:db8::" + std::to_string(i) + "\r\n").status == 401);
  }
  CHECK(login(client, "admin", "admin123", "X-Forwarded-For: 203.0.113.7:4711\r\n").status == 429);
  CHECK(login(client, "admin", "admin123", "X-Forwarded-For: [2001:db8::9:9:9:9]:80\r\n").status == 429);
  CHECK(login(client, "admin", "admin123", "X-Forwarded-For: 2001:db8:0:1::1\r\n").status == 200);
}

/// The statuses of `count` parallel logins.
std::map<int, int> at_once(const Program& api, int count, const std::string& password) {
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<Client>(api.port()));
    clients.back()->start("POST", "/api/v1/auth/login", "username=admin&password=" + password);
  }
  std::map<int, int> statuses;
  for (auto& client : clients) ++statuses[client->receive().status];
  return statuses;
}

TEST_CASE("Parallel right passwords of a user all succeed, and parallel wrong ones keep to the limit") {
  Program api(config("max_failures: 3, failure_window: 1h, hash_queue: 100"));
  api.await_ready();
  CHECK(at_once(api, 40, "admin123") == std::map<int, int>{{200, 40}});
  CHECK(at_once(api, 40, "wrong") == std::map<int, int>{{401, 3}, {429, 37}});
}

TEST_CASE("A flood of wrong passwords leaves familiar users their share of checks") {
  Program api(config("hash_queue: 4"));
  api.await_ready();
  const std::string home = "X-Forwarded-For: 203.0.113.7\r\n";
  Client known(api.port());
  REQUIRE(login(known, "admin", "admin123", home).status == 200);
  std::atomic<bool> stop{false};
  std::atomic<int> turned_away{0};
  std::vector<std::thread> flood;
  for (int i = 0; i < 16; ++i) {
    flood.emplace_back([&, i] {
      Client own(api.port());
      for (int n = 0; !stop; ++n) {
        const std::string address =
            "198." + std::to_string(i) + "." + std::to_string(n / 250) + "." + std::to_string(n % 250);
        turned_away += login(own, "admin", "wrong", "X-Forwarded-For: " + address + "\r\n").status == 429;
      }
    });
  }
  CHECK(eventually([&] { return turned_away > 100; }));
  int served = 0;
  for (int i = 0; i < 30; ++i) served += login(known, "admin", "admin123", home).status == 200;
  stop = true;
  for (std::thread& each : flood) each.join();
  CHECK(served == 30);
}

TEST_CASE("The token of a user who is disabled, deleted or replaced ends within seconds") {
  Program api(config("max_failures: 0"));
  api.await_ready();
  Session database;
  const std::string hash = database.value("SELECT password_hash FROM users WHERE username = 'admin'");
  const std::string add = "INSERT INTO users (username, password_hash) VALUES ('eve', '" + hash + "')";
  database.run("DELETE FROM users WHERE username = 'eve'");
  database.run(add);
  Client eve(api.port()), admin(api.port());
  admin.login();
  const auto log_in = [&] {
    const Reply reply = login(eve, "eve", "admin123");
    REQUIRE(reply.status == 200);
    eve.use_token(std::string(reply.json().at("access_token").as_string()));
  };
  const auto status = [&] { return eve.request("GET", "/api/v1/scholarships/1").status; };
  log_in();
  CHECK(status() == 200);
  database.run("UPDATE users SET disabled = true WHERE username = 'eve'");
  CHECK(eventually([&] { return status() == 401; }));
  CHECK(login(eve, "eve", "admin123").status == 401);

  database.run("UPDATE users SET disabled = false WHERE username = 'eve'");
  CHECK(eventually([&] { return status() == 200; }));
  database.run("DELETE FROM users WHERE username = 'eve'");
  database.run(add);
  CHECK(eventually([&] { return status() == 401; }));  // of the first one of this name
  log_in();
  CHECK(status() == 200);
  database.run("DELETE FROM users WHERE username = 'eve'");
  CHECK(eventually([&] { return status() == 401; }));
  CHECK(admin.request("GET", "/api/v1/scholarships/1").status == 200);
}

TEST_CASE("Successful logins do not count as failures") {
  Program api(config("max_failures: 2, failure_window: 1h"));
  Client client(api.port());
  for (int i = 0; i < 6; ++i) CHECK(login(client, "admin", "admin123").status == 200);
}

TEST_CASE("A storm of logins is refused, and searches go on beside it") {
  Program api(config("max_failures: 0, hash_queue: 4"));
  api.await_ready();
  Client client(api.port());
  client.login();
  std::atomic<bool> stop{false};
  std::atomic<int> accepted{0}, refused{0}, wrong{0};
  std::mutex mutex;
  std::vector<Clock::duration> logins, lookups;
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] {
      Client own(api.port());
      while (!stop) {
        const auto start = Clock::now();
        const Reply reply = login(own, "admin", "admin123");
        ++(reply.status == 200 ? accepted : reply.status == 503 ? refused : wrong);
        std::lock_guard lock(mutex);
        if (reply.status == 200) logins.push_back(Clock::now() - start);
      }
    });
  }
  CHECK(eventually([&] { return accepted > 10 && refused > 100; }));
  for (int i = 0; i < 100; ++i) {
    const auto start = Clock::now();
    const Reply reply = client.request("GET", "/api/v1/scholarships/1");
    CHECK_MESSAGE(reply.status == 200, reply.body);
    lookups.push_back(Clock::now() - start);
  }
  stop = true;
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
  auto median = [](std::vector<Clock::duration>& times) {
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
  };
  // If a look-up waited for password checks, it would take as long as a login.
  CHECK(median(lookups) < median(logins) / 2);
}

TEST_CASE("A token expires") {
  Program api(config("token_ttl: 2s"));
  Client client(api.port());
  client.login();
  CHECK(client.request("GET", "/api/v1/scholarships/1").status == 200);
  CHECK(eventually([&] { return client.request("GET", "/api/v1/scholarships/1").status == 401; }));
}

}  // namespace
}  // namespace api::test
