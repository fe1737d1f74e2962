// Behind pgbouncer in transaction mode, where every statement may meet another server connection.

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/api/client.hpp"
#include "tests/integration/api/database.hpp"
#include "tests/integration/api/program.hpp"

namespace api::test {
namespace {

constexpr int kServerConnections = 2;

/// pgbouncer on a unix socket in front of the shared database.
class Pgbouncer {
 public:
  Pgbouncer() {
    const Database& database = Database::shared();
    std::ofstream(folder_.path("users.txt")) << '"' << database.user() << "\" \"\"\n";
    std::ofstream ini(folder_.path("pgbouncer.ini"));
    ini << "[databases]\n* = host=" << database.host() << " port=" << database.port()
        << "\n[pgbouncer]\nlisten_addr =\nunix_socket_dir = " << folder_.path() << "\nlisten_port = " << database.port()
        << "\nauth_type = trust\nauth_file = " << folder_.path("users.txt")
        << "\npool_mode = transaction\ndefault_pool_size = " << kServerConnections << '\n';
    if (::getuid() == 0) {
      // It refuses to run as root, so the folder of its socket must be open to its user.
      ini << "user = postgres\n";
      std::filesystem::permissions(folder_.path(), std::filesystem::perms::all);
    }
    ini.close();
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      ::setenv("PATH", (std::string(std::getenv("PATH")) + ":/usr/sbin").c_str(), 1);
      ::execlp("pgbouncer", "pgbouncer", "-q", folder_.path("pgbouncer.ini").c_str(), nullptr);
      ::_exit(127);
    }
  }

  ~Pgbouncer() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  std::string url() const { return Database::shared().url_through(folder_.path()); }

 private:
  Folder folder_;
  pid_t pid_ = -1;
};

TEST_CASE("All endpoints work behind pgbouncer in transaction mode, with more clients than connections") {
  Pgbouncer pgbouncer;
  Program api("database: {url: \"" + pgbouncer.url() + "\", prepared_statements: false, pool_size: 8}\n");
  api.await_ready();
  Client client(api.port());
  client.login();
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      Client own(api.port());
      own.use_token(client.token());
      for (int k = 1; k <= 50; ++k) {
        const std::string id = std::to_string(i * 50 + k);
        const Reply lookup = own.request("GET", "/api/v1/scholarships/" + id);
        good += lookup.status == 200 && lookup.json().at("id") == i * 50 + k;
        good += own.request("GET", "/api/v1/search?q=engineering").status == 200;
        good += own.request("GET", "/api/v1/scholarships?major=Law&limit=3").status == 200;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(good == 8 * 50 * 3);
  Session session;
  const std::string backends = session.value(
      "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'scholarship-api' AND datname = "
      "current_database()");
  CHECK(std::stoi(backends) <= kServerConnections);
  CHECK(session.value("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
                      " AND datname = current_database()") == "0");
  const boost::json::value health = client.request("GET", "/health").json();
  CHECK(health.at("pool").at("checked_in") == 8);
  CHECK(health.at("pool").at("connection_errors") == 0);
  CHECK(api.stop() == 0);
}

}  // namespace
}  // namespace api::test
