// Starting, stopping, listening, and the command line.

#include <csignal>
#include <filesystem>
#include <fstream>
#include <vector>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/schema/schema.hpp"
#include "tests/integration/api/client.hpp"
#include "tests/integration/api/database.hpp"
#include "tests/integration/api/program.hpp"
#include "tests/support/listener.hpp"

namespace api::test {
namespace {

std::string database() {
  return "database: {url: \"" + Database::shared().url() + "\"}\n";
}

TEST_CASE("SIGTERM finishes running requests, closes idle connections, refuses new ones, and exits with 0") {
  for (int signal : {SIGTERM, SIGINT, SIGQUIT}) {
    Program api(database());
    Client idle(api.port());
    idle.login();
    Client busy(api.port());
    busy.use_token(idle.token());
    {
      TableLock lock;
      busy.start("GET", "/api/v1/scholarships/1");
      Client watcher(api.port());
      CHECK(eventually([&] { return watcher.request("GET", "/health").json().at("pool").at("checked_in") == 19; }));
      api.signal(signal);
      CHECK(idle.receive_all().empty());
      CHECK(Client(api.port()).request("GET", "/health").status == 0);
    }
    const Reply reply = busy.receive();
    CHECK(reply.status == 200);
    CHECK(reply.headers.at("connection") == "close");
    CHECK(api.wait() == 0);
  }
}

TEST_CASE("SIGTERM answers every client whose connection the kernel has accepted") {
  int workers = 1;
  SUBCASE("one worker") {}
  SUBCASE("two workers") {
    workers = 2;
  }
  Program api(database() + "workers: " + std::to_string(workers) + "\n");
  Client silent(api.port());
  // While the process is stopped, connections and requests wait in the kernel.
  api.signal(SIGSTOP);
  std::vector<Client> clients;
  for (int i = 0; i < 200; ++i) {
    clients.emplace_back(api.port());
    clients.back().start("GET", "/health");
  }
  api.signal(SIGTERM);
  api.signal(SIGCONT);
  int answered = 0;
  for (Client& client : clients) answered += client.receive().status == 200 ? 1 : 0;
  CHECK(answered == 200);
  CHECK(silent.receive_all().empty());
  CHECK(api.wait() == 0);
}

TEST_CASE("SIGUSR1, SIGUSR2 and SIGPIPE change nothing") {
  Program api(database());
  for (int signal : {SIGUSR1, SIGUSR2, SIGPIPE}) {
    api.signal(signal);
    CHECK(Client(api.port()).request("GET", "/health").status == 200);
  }
  CHECK(api.stop() == 0);
}

TEST_CASE("The drain ends at its limit although a request still runs") {
  Program api(database() + "timeouts: {drain: 200ms}\n");
  Client client(api.port());
  client.login();
  TableLock lock;
  client.start("GET", "/api/v1/scholarships/1");
  Client watcher(api.port());
  CHECK(eventually([&] { return watcher.request("GET", "/health").json().at("pool").at("checked_in") == 19; }));
  CHECK(api.stop() == 0);
  CHECK(api.log().find("drain time is over, 1 requests are dropped") != std::string::npos);
}

TEST_CASE("A second signal ends the process at once") {
  Program api(database());
  Client client(api.port());
  client.login();
  TableLock lock;
  client.start("GET", "/api/v1/scholarships/1");
  Client watcher(api.port());
  CHECK(eventually([&] { return watcher.request("GET", "/health").json().at("pool").at("checked_in") == 19; }));
  api.signal(SIGTERM);
  CHECK(api.await_log("draining"));
  api.signal(SIGTERM);
  CHECK(api.wait() == 1);
}

TEST_CASE("The process ends in time although the reader of its log has stalled") {
  Folder folder;
  const std::string path = folder.path("api.sock");
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  // The pipe is full: even the first line waits.
  ::fcntl(ends[1], F_SETFL, O_NONBLOCK);
  const std::string filler(65'536, '\n');
  while (::write(ends[1], filler.data(), filler.size()) > 0) {
  }
  ::fcntl(ends[1], F_SETFL, 0);
  const std::string config = database() + "log: {access: all}\nlisten: unix:" + path + "\n";
  Program api(Start{config, {}, {}, [&] { ::dup2(ends[1], STDOUT_FILENO); }});
  CHECK(eventually([&] { return Client(path).request("GET", "/health").status == 200; }));
  for (int i = 0; i < 2000; ++i) CHECK(Client(path).request("GET", "/nothing").status == 404);
  api.signal(SIGUSR1);
  CHECK(Client(path).request("GET", "/health").status == 200);
  api.signal(SIGQUIT);
  CHECK(api.wait() == 0);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("Standard streams that are closed at the start are /dev/null") {
  Folder folder;
  const std::string path = folder.path("api.sock");
  Program api(Start{database() + "listen: unix:" + path + "\n", {}, {}, [] {
                      for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::close(stream);
                    }});
  REQUIRE(eventually([&] { return Client(path).request("GET", "/health").status == 200; }));
  for (int stream = 0; stream <= STDERR_FILENO; ++stream) {
    const std::string name = "/proc/" + std::to_string(api.pid()) + "/fd/" + std::to_string(stream);
    CHECK(std::filesystem::read_symlink(name) == "/dev/null");
  }
  CHECK(api.stop() == 0);
}

TEST_CASE("localhost is served in both families, by every worker") {
  Program api(database() + "workers: 2\nlisten: localhost:0\n");
  CHECK(Client(api.port()).request("GET", "/health").status == 200);
  CHECK(Client(support::Wire::tcp6(api.port())).request("GET", "/health").status == 200);
  CHECK(api.stop() == 0);
}

TEST_CASE("The process listens on a unix socket and removes its file at the end") {
  Folder folder;
  const std::string path = folder.path("api.sock");
  Program api(database() + "listen: unix:" + path + "\n");
  CHECK(Client(path).request("GET", "/health").status == 200);

  SUBCASE("an orderly end") {
    CHECK(api.stop() == 0);
    CHECK_FALSE(std::filesystem::exists(path));
  }
  SUBCASE("a second process does not take it over while it is in use") {
    Program second(Start{database() + "listen: unix:" + path + "\n", {}, {}, {}});
    CHECK(second.wait() == 1);
    CHECK(second.log().find("another process listens there") != std::string::npos);
    CHECK(Client(path).request("GET", "/health").status == 200);
  }
  SUBCASE("a second process takes over the file of a killed one") {
    api.signal(SIGKILL);
    api.wait();
    CHECK(std::filesystem::exists(path));
    Program second(database() + "listen: unix:" + path + "\n");
    CHECK(Client(path).request("GET", "/health").status == 200);
  }
}

TEST_CASE("The process removes neither a file that is not a socket nor the socket of its successor") {
  Folder folder;
  const std::string path = folder.path("api.sock");
  const std::string config = database() + "listen: unix:" + path + "\n";
  SUBCASE("a file") {
    std::ofstream(path) << "precious";
    Program api(Start{config, {}, {}, {}});
    CHECK(api.wait() == 1);
    CHECK(api.log().find("there is a file that is no socket") != std::string::npos);
    CHECK(std::filesystem::file_size(path) == 8);
  }
  SUBCASE("a dangling link") {
    std::filesystem::create_symlink("nowhere", path);
    Program api(Start{config, {}, {}, {}});
    CHECK(api.wait() == 1);
    CHECK(std::filesystem::is_symlink(path));
  }
  SUBCASE("the socket of a successor") {
    Program first(config);
    std::filesystem::remove(path);
    Program second(config);
    CHECK(first.stop() == 0);
    CHECK(Client(path).request("GET", "/health").status == 200);
  }
}

TEST_CASE("The process takes an inherited socket, by number or from systemd") {
  const support::Listener listener;
  const int port = listener.port(), descriptor = listener.descriptor();
  Start start{database(), {}, {}, {}};
  SUBCASE("fd:N") {
    start.config += "listen: fd:" + std::to_string(descriptor) + "\n";
    start.in_child = [descriptor] { ::fcntl(descriptor, F_SETFD, 0); };  // it stays open after exec
  }
  SUBCASE("LISTEN_FDS") {
    start.in_child = [descriptor] {
      ::dup2(descriptor, 3);
      ::fcntl(3, F_SETFD, 0);  // if it was 3 already, dup2 has changed nothing
      ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
      ::setenv("LISTEN_FDS", "1", 1);
    };
  }
  Program api(start);
  REQUIRE(api.await_log("listening on 127.0.0.1:" + std::to_string(port)));
  CHECK(Client(port).request("GET", "/health").status == 200);
  CHECK(api.stop() == 0);
}

TEST_CASE("An error at the start is one line with exit status 1") {
  const support::Listener taken;
  struct {
    std::string config;
    std::string says;
  } const cases[] = {
      {"database: {url: \"postgresql://admin:hunter2@host:port/x\"}\n", "not a PostgreSQL connection string"},
      {"database: {url: \"admin:hunter2\"}\n", "not a PostgreSQL connection string"},
      {"database: {url: \"postgresql://admin:x@hunter2@host/x\"}\n", "before it must be written a @ as %40"},
      {"database: {url: \"postgresql://admin:hunter2/x@host/x\"}\n", "before it must be written a / as %2F"},
      {"database: \"postgresql://admin:hunter2@host/x\"\n", "must be a section of keys, not 'postgresql://…@host/x'"},
      {"database: {url: postgresql://admin:a,hunter2,b@host/x}\n", "database.…: unknown key"},
      {"database: {url: \"postgresql://admin:${hunter2}@host/x\"}\n", "neither ${env:NAME} nor ${file:/path}"},
      {"database: {url: \"postgresql://hunter2:x@/not_there?host=" + Database::shared().host() + "\"}\n",
       "the database refuses: connection to server on socket"},
      {"database: {url: \"host=a sslmode=perhaps password=hunter2\"}\n", "invalid sslmode value"},
      {"database: {url: \"" + Database::shared().url() + " dbname=not_there\"}\n", "does not exist"},
      {database() + "listen: 127.0.0.1:" + std::to_string(taken.port()) + "\n", "Address already in use"},
      {database() + "listen: fd:99\n", "descriptor 99 is not a listening socket"},
      {database() + "listen: unix:/nowhere/at/all\n", "No such file or directory"},
      {database() + "auth: {secret: short}\n", "auth.secret"},
      {database() + "pool_size: 3\n", "pool_size"},
      {"workers: 0\n", "database.url"},
  };
  for (const auto& [config, says] : cases) {
    CAPTURE(says);
    Program api(Start{config, {}, {}, {}});
    CHECK(api.wait() == 1);
    const std::string log = api.log();
    CAPTURE(log);
    CHECK(log.find(says) != std::string::npos);
    CHECK(log.find("hunter2") == std::string::npos);
  }
}

TEST_CASE("--check-config refuses what a start refuses") {
  struct {
    std::string config;
    std::string says;
  } const cases[] = {
      {"database: {url: \"host=a sslmode=perhaps\"}\n", "database.url: not a PostgreSQL connection string"},
      {database().insert(database().find('}'), ", migrate_url: host=a port=x"), "database.migrate_url: not a Postgre"},
      {"database: {url: \"host=a sslrootcert=/dev/zero\"}\n", "sslrootcert: /dev/zero: not a regular file"},
      {database() + "tracing: {endpoint: 'https://a', ca: /proc/self/status}\n", "holds no certificate in PEM"},
      {database() + "listen: 0.0.0.0:1\nadmin: {listen: 127.0.0.1:1}\n",
       "admin.listen: listen (0.0.0.0:1) and admin.listen (127.0.0.1:1) overlap"},
  };
  for (const auto& [config, says] : cases) {
    for (const bool check : {false, true}) {
      CAPTURE(says);
      CAPTURE(check);
      Program api(
          Start{config, check ? std::vector<std::string>{"--check-config"} : std::vector<std::string>(), {}, {}});
      CHECK(api.wait() == 1);
      CAPTURE(api.log());
      CHECK(api.log().find(says) != std::string::npos);
    }
  }
}

TEST_CASE("The limit of descriptors is raised, and clients get what is left of it") {
  const auto limited = [](rlim_t soft, rlim_t hard) {
    return [soft, hard] {
      const rlimit limit{soft, hard};
      ::setrlimit(RLIMIT_NOFILE, &limit);
    };
  };
  Folder folder;
  const std::string path = folder.path("api.sock");
  const std::string config = database() + "listen: unix:" + path + "\n";
  SUBCASE("soft limit below what is needed, hard limit above") {
    Program api(Start{config, {}, {}, limited(256, 2000)});
    CHECK(api.await_log("listening on"));
    CHECK(api.log().find("descriptors") == std::string::npos);
    CHECK(api.stop() == 0);
  }
  SUBCASE("the hard limit allows fewer clients") {
    Program api(Start{config, {}, {}, limited(200, 200)});
    CHECK(api.await_log("limits.connections is 1000, but the limit of 200 open descriptors leaves room for 82"));
    CHECK(api.await_log("listening on"));
    std::vector<Client> idle;
    for (int i = 0; i < 100; ++i) {
      idle.emplace_back(path);
      CHECK(idle.back().request("GET", "/health").status == 200);
    }
    CHECK(eventually([&] { return Client(path).request("GET", "/ready").status == 200; }));
    CHECK(api.stop() == 0);
  }
  SUBCASE("the hard limit allows no client") {
    Program api(Start{config, {}, {}, limited(100, 100)});
    CHECK(api.wait() == 1);
    CHECK(api.log().find("the limit of 100 open descriptors is too low for 50 database connections") !=
          std::string::npos);
  }
}

TEST_CASE("migrate and seed-demo may run again, and at the same time") {
  Session session;
  session.run("CREATE DATABASE " + session.value("SELECT current_database()") + "_fresh");
  std::string url = Database::shared().url();
  const std::string name = session.value("SELECT current_database()");
  url.replace(url.find(name), name.size(), name + "_fresh");
  const std::string config = "database: {url: \"" + url + "\"}\n";
  {
    std::vector<std::unique_ptr<Program>> programs;
    for (int i = 0; i < 4; ++i) programs.push_back(std::make_unique<Program>(Start{config, {"migrate"}, {}, {}}));
    for (auto& program : programs) CHECK(program->wait() == 0);
    CHECK(Session(url).value("SELECT count(*) FROM schema_migrations") == std::to_string(schema::migrations().size()));
  }
  {
    std::vector<std::unique_ptr<Program>> programs;
    for (int i = 0; i < 2; ++i) {
      programs.push_back(std::make_unique<Program>(Start{config, {"seed-demo", "--scholarships", "50"}, {}, {}}));
    }
    for (auto& program : programs) CHECK(program->wait() == 0);
    CHECK(Session(url).value("SELECT count(*) FROM scholarships") == "50");
    CHECK(Session(url).value("SELECT count(*) FROM users") == "1");
    CHECK(Session(url).value("SELECT left(password_hash, 10) FROM users") == "$argon2id$");
  }
  session.run("DROP DATABASE " + name + "_fresh WITH (FORCE)");
}

}  // namespace
}  // namespace api::test
