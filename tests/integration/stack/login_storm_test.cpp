// A storm of wrong passwords against both programs in their shipped configuration, beside a user who is logged in, who
// logs in again, and beside health checks.

#include <atomic>
#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "tests/integration/api/client.hpp"
#include "tests/integration/api/database.hpp"
#include "tests/integration/api/program.hpp"
#include "tests/integration/proxy/proxy.hpp"

namespace spillway::test {
namespace {

using api::test::Database;

/// A shipped configuration with these texts replaced. Each of them must occur.
std::string shipped(const char* name, std::initializer_list<std::pair<std::string, std::string>> changes) {
  std::ostringstream text;
  text << std::ifstream(std::string(SOURCE_FOLDER "/config/") + name).rdbuf();
  std::string config = text.str();
  for (const auto& [from, to] : changes) {
    const std::size_t at = config.find(from);
    REQUIRE_MESSAGE(at != std::string::npos, from);
    config.replace(at, from.size(), to);
  }
  return config;
}

/// Clients that try one wrong password after another, each from many networks with many names, as a botnet does: the
/// limits per user and network do not stop it, and passwords to check come faster than they can be checked.
class Storm {
 public:
  /// The API checks one password and lets 32 wait, so five are shed at any moment. No more than 38: they would hold
  /// more than 80 % of the database connections when their look-ups of users fall together, which is another refusal.
  static constexpr int kClients = 38;
  /// A pause after each refusal: password checks have low priority, and would starve beside clients without a pause.
  static constexpr std::chrono::milliseconds kPause{2};

  explicit Storm(int port) : port_(port) {
    for (int i = 0; i < kClients; ++i) {
      threads_.emplace_back([this, i] { run(i); });
    }
  }
  ~Storm() {
    over_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

  int answered() const { return checked + shed + refused; }
  std::atomic<int> checked = 0;  ///< and found wrong
  std::atomic<int> shed = 0;     ///< by the API
  std::atomic<int> refused = 0;  ///< by the proxy
  std::atomic<int> other = 0;

 private:
  void run(int number) {
    api::test::Client client(port_);
    for (int i = 0; !over_; ++i) {
      const std::string id =
          std::to_string(number) + "." + std::to_string(i / 250 % 250) + "." + std::to_string(i % 250);
      const api::test::Reply reply = client.request("POST", "/api/v1/auth/login", "username=u" + id + "&password=wrong",
                                                    "X-Forwarded-For: 100." + id + "\r\n");
      ++count_of(reply);
      if (reply.status == 0) client = api::test::Client(port_);
      if (reply.status == 429 || reply.status == 503) std::this_thread::sleep_for(kPause);
    }
  }
  std::atomic<int>& count_of(const api::test::Reply& reply) {
    if (reply.status == 401) return checked;
    if (reply.header("retry-after").empty()) return other;
    if (reply.status == 429 && reply.header("proxy-status").empty()) return shed;
    return reply.status == 503 && !reply.header("proxy-status").empty() ? refused : other;
  }

  const int port_;
  std::atomic<bool> over_ = false;
  std::vector<std::thread> threads_;
};

TEST_CASE(
    "while the API sheds a storm of wrong passwords, every request of a known user and health check is answered") {
  api::test::Program api(shipped("api.yaml", {{"127.0.0.1:8081", "127.0.0.1:0"},
                                              {"${env:DATABASE_URL}", "'" + Database::shared().url() + "'"},
                                              {"${env:API_AUTH_SECRET}", "for-tests-only-for-tests-only-0123456789"}}));
  api.await_ready();
  const Proxy proxy(shipped("proxy.yaml", {{"0.0.0.0:8080", "127.0.0.1:0"},
                                           {"127.0.0.1:9901", "127.0.0.1:0"},
                                           {"127.0.0.1:8081", "127.0.0.1:" + std::to_string(api.port())},
                                           // The clients' addresses come through a load balancer before the proxy.
                                           {"trusted_proxies: []", "trusted_proxies: [127.0.0.0/8]"}}));
  REQUIRE(proxy.await_metric("spillway_upstream_healthy", 1));
  api::test::Client user(proxy.port());
  user.login();

  // Look-ups follow the pace of the storm, not the clock: one for each five answered logins.
  constexpr int kLookups = 500, kLoginsEach = 5, kLookupsForEachLogin = 10;
  Storm storm(proxy.port());
  REQUIRE(api::test::eventually([&] { return storm.checked > 0 && storm.shed > 0; }));
  const int before = storm.answered();
  int good = 0, healthy = 0, logins = 0;
  for (int i = 1; i <= kLookups; ++i) {
    REQUIRE(api::test::eventually([&] { return storm.answered() - before >= i * kLoginsEach; }));
    good += user.request("GET", "/api/v1/scholarships/" + std::to_string(i)).status == 200;
    if (i % kLookupsForEachLogin != 0) continue;
    healthy += user.request("GET", "/health").status == 200;
    logins += user.request("POST", "/api/v1/auth/login", "username=admin&password=admin123").status == 200;
  }
  MESSAGE("look-ups answered: ", good, " of ", kLookups, "; logins checked ", storm.checked.load(),
          ", shed by the API ", storm.shed.load(), ", refused by the proxy ", storm.refused.load());
  CHECK(good == kLookups);
  CHECK(healthy == kLookups / kLookupsForEachLogin);
  CHECK(logins == kLookups / kLookupsForEachLogin);
  CHECK(storm.other == 0);
}

}  // namespace
}  // namespace spillway::test
