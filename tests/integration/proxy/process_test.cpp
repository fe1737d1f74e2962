// The process as a whole: stop, reload, and the limit of connections.

#include "tests/support/process.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"

namespace spillway::test {
namespace {

void hold(Turn& turn) {
  if (turn.request() == "GET /held") turn.hold();
  turn.answer();
}

TEST_CASE("one line without a file protects an API, says where the page is, and keeps its flags over a reload") {
  Upstream upstream;
  support::Command command;
  command.arguments = {program(),
                       "--upstream",
                       upstream.address(),
                       "--listen",
                       ":0",
                       "--max-concurrent",
                       "7",
                       "--set",
                       "admin.listen=127.0.0.1:0",
                       "--set",
                       "log.format=text"};
  // A file that lies where the default one would is not read: it is not named.
  support::Folder folder;
  std::filesystem::create_directory(folder.path("config"));
  std::ofstream(folder.path("config/proxy.yaml")) << "of: something else\n";
  command.in_child = [path = folder.path()] { (void)!::chdir(path.c_str()); };
  support::Process process(command);
  REQUIRE(process.await_log("no configuration file"));
  const auto port_behind = [&](const std::string& before) {
    const std::string log = process.log();
    const std::size_t at = log.find(before);
    REQUIRE(at != std::string::npos);
    const std::size_t end = log.find_first_of(",/\n", at + before.size());
    return std::stoi(log.substr(log.rfind(':', end) + 1));
  };
  CHECK(port_behind("status page at http://") == port_behind("admin on "));
  const int port = port_behind("listening on ");
  Client client(port);
  CHECK(client.get("/").status == 200);
  process.signal(SIGHUP);
  CHECK(process.await_log("configuration reloaded, nothing has changed"));
  Client admin(port_behind("admin on "));
  CHECK(admin.get("/config").body.find("max_concurrent: 7\n") != std::string::npos);
  CHECK(process.stop() == 0);
}

TEST_CASE("localhost, and an address without a host, is served in both families") {
  Upstream upstream;
  for (const char* const host : {"localhost", "LocalHost.", ""}) {
    CAPTURE(host);
    const std::string address = "\"" + std::string(host) + ":0\"";
    Proxy proxy("workers: 2\nlisten: " + address + "\nadmin: {listen: " + address + "}\nupstream: {address: '" +
                upstream.address() + "'}\n");
    for (const int port : {proxy.port(), proxy.admin_port()}) {
      const int expected = port == proxy.port() ? 200 : 404;
      CHECK(Client(port).get("/nothing").status == expected);
      CHECK(Client(Wire::tcp6(port)).get("/nothing").status == expected);
    }
  }
}

TEST_CASE("standard streams that are closed at the start are /dev/null") {
  Upstream upstream;
  const support::Folder folder;
  const std::string socket = folder.path("traffic.sock");
  support::Command command;
  command.arguments = {program(),        "--upstream", upstream.address(),        "--listen",
                       "unix:" + socket, "--set",      "admin.listen=127.0.0.1:0"};
  command.in_child = [] {
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::close(stream);
  };
  support::Process process(command);
  REQUIRE(eventually([&] { return Client(Wire::unix_socket(socket)).get("/").status == 200; }));
  for (int stream = 0; stream <= STDERR_FILENO; ++stream) {
    const std::string name = "/proc/" + std::to_string(process.pid()) + "/fd/" + std::to_string(stream);
    CHECK(std::filesystem::read_symlink(name) == "/dev/null");
  }
  CHECK(process.stop() == 0);
}

TEST_CASE("SIGTERM finishes requests in flight, closes idle connections, accepts no more, and exits with 0") {
  for (const int workers : {1, 2}) {
    CAPTURE(workers);
    Upstream upstream(hold);
    Proxy proxy(upstream, {.workers = workers});
    Client idle(proxy), fresh(proxy), busy(proxy), pipelined(proxy);
    CHECK(idle.get("/").status == 200);
    busy.start("GET", "/held");
    REQUIRE(eventually([&] { return upstream.inside() == 1; }));
    pipelined.send("GET /held HTTP/1.1\r\nHost: test\r\n\r\nGET /next HTTP/1.1\r\nHost: test\r\n\r\n");
    REQUIRE(eventually([&] { return upstream.inside() == 2; }));
    REQUIRE(proxy.await_metric("spillway_client_connections", 4));

    proxy.signal(SIGTERM);
    CHECK(idle.ended() == End::closed);
    CHECK(fresh.ended() == End::closed);
    CHECK(proxy.page("/ready") == std::pair(503, std::string("draining\n")));
    CHECK(proxy.await_metric("spillway_draining", 1));
    CHECK(proxy.page("/health").first == 200);
    CHECK(eventually([&] { return Client(proxy).get("/").status == 0; }));

    upstream.release_all();
    Reply reply = busy.receive();
    CHECK(reply.status == 200);
    CHECK(reply.field("Connection") == "close");
    CHECK(busy.ended() == End::closed);
    reply = pipelined.receive();
    CHECK(reply.status == 200);
    CHECK(reply.field("Connection") == "close");
    pipelined.close();
    CHECK(proxy.wait() == 0);
    CHECK(proxy.log().find("drained, bye") != std::string::npos);
  }
}

TEST_CASE("an idle proxy stops at once") {
  Upstream upstream;
  Proxy proxy(upstream);
  const auto began = std::chrono::steady_clock::now();
  proxy.signal(SIGINT);
  CHECK(proxy.wait() == 0);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(5));
}

TEST_CASE("SIGTERM right after the first log line drains as at any other time") {
  Upstream upstream;
  for (int i = 0; i < 50; ++i) {
    Proxy proxy(upstream, {.awaited = "admin on"});
    REQUIRE(proxy.stop() == 0);
  }
}

TEST_CASE("a second SIGTERM does not wait for requests in flight") {
  Upstream upstream(hold);
  Proxy proxy(upstream);
  Client client(proxy);
  client.start("GET", "/held");
  REQUIRE(eventually([&] { return upstream.inside() == 1; }));
  proxy.signal(SIGTERM);
  REQUIRE(proxy.await_log("draining"));
  proxy.signal(SIGTERM);
  CHECK(proxy.wait() == 0);
  CHECK(client.ended() != End::silent);
}

TEST_CASE("at the end of the drain requests in flight and in the queue are refused") {
  Upstream upstream(hold);
  Proxy proxy(upstream, {.timeouts = "drain: 300ms", .admission = admit(1) + ", queue: {max_wait: 1m, target: 0}"});
  Client client(proxy), waiting(proxy);
  client.start("GET", "/held");
  REQUIRE(eventually([&] { return upstream.inside() == 1; }));
  waiting.start("GET", "/waiting");
  REQUIRE(proxy.await_metric("spillway_queue_length", 1));
  CHECK(proxy.stop() == 0);
  for (Client* each : {&client, &waiting}) {
    CHECK(each->receive().problem("reason") == "draining");
    CHECK(each->wire().end() != End::silent);
  }
  CHECK(upstream.requests() == 1);
}

TEST_CASE("a queued request gets its slot during a drain") {
  Upstream upstream(hold);
  Proxy proxy(upstream, {.admission = admit(1) + ", queue: {max_wait: 1m, target: 0}"});
  Client client(proxy), waiting(proxy);
  client.start("GET", "/held");
  REQUIRE(eventually([&] { return upstream.inside() == 1; }));
  waiting.start("GET", "/waiting");
  REQUIRE(proxy.await_metric("spillway_queue_length", 1));
  proxy.signal(SIGTERM);
  REQUIRE(eventually([&] { return !proxy.listens(); }));  // the log says so before the worker has heard of it
  upstream.release_all();
  CHECK(client.receive().status == 200);
  const Reply reply = waiting.receive();
  CHECK(reply.status == 200);
  CHECK(reply.field("Connection") == "close");
  CHECK(proxy.wait() == 0);
}

TEST_CASE("a reload applies another threshold; an invalid file changes nothing and is reported") {
  Upstream upstream(hold);
  Settings settings{.workers = 2, .admission = "max_concurrent: 10, shed_at: 0.5, queue: {max_wait: 0}"};
  Proxy proxy(upstream, settings);
  std::vector<Client> held;
  const auto fill_to = [&](int count) {
    while (static_cast<int>(held.size()) < count) held.emplace_back(proxy).start("GET", "/held");
    CHECK(eventually([&] { return upstream.inside() == count; }));
    CHECK(Client(proxy).get("/").status == 503);
    CHECK(proxy.await_metric("spillway_inflight", count));
  };
  fill_to(5);

  settings.admission = "max_concurrent: 10, shed_at: 0.8, queue: {max_wait: 0}";
  proxy.configure(settings);
  proxy.signal(SIGHUP);
  REQUIRE(proxy.await_log("configuration reloaded"));
  fill_to(8);
  CHECK(proxy.await_metric("spillway_config_last_reload_successful", 1));
  CHECK(proxy.page("/config").second.find("shed_at: 0.8") != std::string::npos);

  proxy.configure_badly("admission: {max_concurent: 10}\nworkers: none\n");
  proxy.signal(SIGHUP);
  CHECK(proxy.await_metric("spillway_config_last_reload_successful", 0));
  REQUIRE(proxy.await_log("configuration not reloaded"));
  CHECK(proxy.log().find("max_concurrent") != std::string::npos);
  CHECK(proxy.await_metric("spillway_capacity", 10));
  fill_to(8);

  settings.admission = "max_concurrent: 10, shed_at: 0.2, queue: {max_wait: 0}";
  proxy.configure(settings);
  proxy.signal(SIGHUP);
  CHECK(proxy.await_metric("spillway_config_last_reload_successful", 1));
  CHECK(Client(proxy).get("/").status == 503);
  upstream.release_all();
  for (Client& client : held) CHECK(client.receive().status == 200);
  CHECK(proxy.accounts_balance());
}

TEST_CASE("at the limit of connections the one idle longest is evicted") {
  Upstream upstream;
  Proxy proxy(upstream, {.limits = "connections: 2"});
  Client first(proxy), second(proxy);
  CHECK(first.get("/").status == 200);
  CHECK(second.get("/").status == 200);
  Client third(proxy);
  CHECK(third.get("/").status == 200);
  CHECK(first.ended() == End::closed);
  CHECK(second.get("/").status == 200);
  CHECK(proxy.await_metric("spillway_client_connections", 2));
}

TEST_CASE("at the limit of connections, with all of them busy, a new one gets 503") {
  Upstream upstream(hold);
  Proxy proxy(upstream, {.limits = "connections: 2"});
  Client busy[] = {Client(proxy), Client(proxy)};
  for (Client& client : busy) client.start("GET", "/held");
  REQUIRE(eventually([&] { return upstream.inside() == 2; }));
  Client third(proxy);
  const Reply reply = third.receive();
  CHECK(reply.status == 503);
  CHECK(reply.problem("reason") == "connections");
  CHECK(reply.field("Retry-After") == "5");
  CHECK(reply.field("Connection") == "close");
  CHECK(third.ended() == End::closed);
  CHECK(proxy.await_metric("load_shedding_rejections", 1, {{"reason", "connections"}}));
  upstream.release_all();
  for (Client& client : busy) CHECK(client.receive().status == 200);
  CHECK(Client(proxy).get("/").status == 200);
  CHECK(proxy.accounts_balance());
}

TEST_CASE("an idle connection is closed after its timeout without a response") {
  Upstream upstream;
  Proxy proxy(upstream, {.timeouts = "keep_alive: 200ms"});
  Client never_spoke(proxy), spoke(proxy);
  CHECK(spoke.get("/").status == 200);
  CHECK(never_spoke.ended() == End::closed);
  CHECK(spoke.ended() == End::closed);
  CHECK(proxy.await_metric("spillway_client_connections", 0));
}

TEST_CASE("during drain_delay readiness fails, and requests are still served") {
  Upstream upstream;
  Proxy proxy(upstream, {.timeouts = "drain: 10s, drain_delay: 500ms"});
  CHECK(eventually([&] { return proxy.page("/ready").first == 200; }));
  proxy.signal(SIGTERM);
  REQUIRE(proxy.await_metric("spillway_draining", 1));
  CHECK(proxy.page("/ready").first == 503);
  CHECK(Client(proxy).get("/").status == 200);
  CHECK(proxy.wait() == 0);
}

TEST_CASE(
    "the file of a unix socket has its configured mode and group; it is removed at the end unless another process owns "
    "it") {
  const Folder folder;
  const std::string path = folder.path("proxy.sock");
  const auto status_of = [&] {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) status.st_mode = 0;
    return status;
  };
  Upstream upstream;
  for (const int workers : {1, 2}) {
    CAPTURE(workers);
    Settings settings{.workers = workers};
    settings.listen =
        "[127.0.0.1:0, {address: 'unix:" + path + "', mode: '0620', group: " + std::to_string(::getgid()) + "}]";
    {
      Proxy proxy(upstream, settings);
      CHECK(S_ISSOCK(status_of().st_mode));
      CHECK((status_of().st_mode & 0777) == 0620);
      CHECK(status_of().st_gid == ::getgid());
      proxy.signal(SIGKILL);
      proxy.wait();
    }
    CHECK(S_ISSOCK(status_of().st_mode));  // the killed process left it, and the next one takes it over
    {
      Proxy proxy(upstream, settings);
      CHECK(proxy.stop() == 0);
      CHECK(status_of().st_mode == 0);
    }
    Proxy proxy(upstream, settings);
    REQUIRE(std::rename(path.c_str(), folder.path("moved").c_str()) == 0);
    std::ofstream(path) << "another's";
    CHECK(proxy.stop() == 0);
    CHECK(S_ISREG(status_of().st_mode));
    std::remove(path.c_str());
  }

  Settings nobody{.awaited = "there is no group no-such-group"};
  nobody.listen = "[127.0.0.1:0, {address: 'unix:" + path + "', group: no-such-group}]";
  Proxy proxy(upstream, nobody);
  CHECK(proxy.wait() == 1);
  CHECK(status_of().st_mode == 0);
}

TEST_CASE("the start fails at once on a unix socket in use, even with a full queue or of another type") {
  const Folder folder;
  const std::string path = folder.path("taken.sock");
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  const auto* address = reinterpret_cast<const sockaddr*>(&name);
  for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
    CAPTURE(type);
    std::vector<int> sockets{::socket(AF_UNIX, type | SOCK_CLOEXEC, 0)};
    REQUIRE(::bind(sockets[0], address, sizeof name) == 0);
    if (type == SOCK_STREAM) {
      REQUIRE(::listen(sockets[0], 0) == 0);
      do {
        sockets.push_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      } while (::connect(sockets.back(), address, sizeof name) == 0);
      REQUIRE(errno == EAGAIN);
    }
    Upstream upstream;
    Settings settings{.awaited = "taken.sock: Address already in use"};
    settings.listen = "[127.0.0.1:0, 'unix:" + path + "']";
    Proxy proxy(upstream, settings);
    CHECK(proxy.wait() == 1);
    CHECK(::access(path.c_str(), F_OK) == 0);
    for (const int socket : sockets) ::close(socket);
    ::unlink(path.c_str());
  }
}

}  // namespace
}  // namespace spillway::test
