// The configuration changes while the proxy serves.

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include <doctest/doctest.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"

namespace spillway::test {
namespace {

namespace fs = std::filesystem;

void hold(Turn& turn) {
  if (turn.request() == "GET /held") turn.hold();
  turn.answer();
}

std::string read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

Settings with_capacity(int capacity) {
  return {.admission = admit(capacity), .more = "log: {format: json, access: off}\n"};
}

int reloads(const Proxy& proxy) {
  const std::string log = proxy.log();
  int count = 0;
  for (std::size_t at = 0; (at = log.find("configuration reloaded", at)) != std::string::npos; ++at) ++count;
  return count;
}

TEST_CASE("it sees by itself that its file has changed, in whichever way") {
  Upstream upstream;
  Proxy proxy(upstream, with_capacity(10));
  REQUIRE(proxy.await_metric("spillway_capacity", 10));

  proxy.configure(with_capacity(11));  // written in place
  CHECK(proxy.await_metric("spillway_capacity", 11));

  std::ofstream(proxy.path("other.yaml")) << read(proxy.path("proxy.yaml")) << "limits: {connections: 77}\n";
  fs::rename(proxy.path("other.yaml"), proxy.path("proxy.yaml"));  // as editors do
  CHECK(eventually([&] { return proxy.page("/config").second.find("connections: 77") != std::string::npos; }));

  // As Kubernetes mounts a ConfigMap: ..data is a link to a folder, and is swapped.
  const std::string content = read(proxy.path("proxy.yaml"));
  for (const char* folder : {"..1", "..2"}) fs::create_directory(proxy.path(folder));
  std::ofstream(proxy.path("..1/proxy.yaml")) << content;
  std::ofstream(proxy.path("..2/proxy.yaml")) << content << "retry: {budget: 0.42}\n";
  fs::create_directory_symlink("..1", proxy.path("..data"));
  fs::create_symlink("..data/proxy.yaml", proxy.path("link"));
  fs::rename(proxy.path("link"), proxy.path("proxy.yaml"));
  fs::create_directory_symlink("..2", proxy.path("..data_tmp"));
  fs::rename(proxy.path("..data_tmp"), proxy.path("..data"));
  CHECK(eventually([&] { return proxy.page("/config").second.find("budget: 0.42") != std::string::npos; }));
  CHECK(proxy.metric("spillway_config_last_reload_successful") == 1);
}

TEST_CASE("with reload: signal it waits to be told") {
  Upstream upstream;
  Settings settings = with_capacity(10);
  settings.more += "reload: signal\n";
  Proxy proxy(upstream, settings);
  settings.admission = admit(11);
  proxy.configure(settings);
  // The other way would have taken a tenth of a second; a reload that comes late is the failure.
  CHECK(!eventually([&] { return reloads(proxy) > 0; }, std::chrono::milliseconds(600)));
  proxy.signal(SIGHUP);
  CHECK(proxy.await_metric("spillway_capacity", 11));
}

TEST_CASE("keys that need a restart are named and stay, the rest of the file is applied") {
  Upstream upstream;
  Proxy proxy(upstream, with_capacity(10));
  Settings settings = with_capacity(20);
  settings.workers = 2;
  settings.more += "classes: [{name: new, match: [{path: /new}]}]\n";
  proxy.configure(settings);
  proxy.signal(SIGHUP);
  REQUIRE(proxy.await_log("configuration reloaded"));
  CHECK(proxy.log().find("workers has changed: takes effect at the next start") != std::string::npos);
  CHECK(proxy.log().find("classes[].name has changed") != std::string::npos);
  CHECK(proxy.log().find("listen has changed") == std::string::npos);
  const std::string config = proxy.page("/config").second;
  CHECK(config.find("workers: 1") != std::string::npos);
  CHECK(config.find("max_concurrent: 20") != std::string::npos);
  CHECK(Client(proxy).get("/new").status == 200);
}

TEST_CASE("what runs, what waits and what is connected outlives a reload") {
  Upstream upstream(hold);
  Settings settings{.admission = admit(1) + ", queue: {max_wait: 1m, target: 0}"};
  Proxy proxy(upstream, settings);
  Client idle(proxy), running(proxy), waiting(proxy);
  CHECK(idle.get("/").status == 200);
  running.start("GET", "/held");
  REQUIRE(eventually([&] { return upstream.inside() == 1; }));
  waiting.start("GET", "/waiting");
  REQUIRE(proxy.await_metric("spillway_queue_length", 1));

  settings.limits = "connections: 500";
  proxy.configure(settings);
  proxy.signal(SIGHUP);
  REQUIRE(proxy.await_log("configuration reloaded"));
  CHECK(proxy.metric("spillway_queue_length") == 1);
  CHECK(proxy.metric("spillway_inflight") == 1);
  upstream.release_all();
  CHECK(running.receive().status == 200);
  CHECK(waiting.receive().status == 200);
  CHECK(idle.get("/").status == 200);
  CHECK(proxy.accounts_balance());
}

TEST_CASE("100 reloads under load: not one request and not one connection fails") {
  constexpr int kReloads = 100;
  constexpr int kClients = 4;
  Upstream upstream;
  Settings settings = with_capacity(50);
  settings.workers = 2;
  Proxy proxy(upstream, settings);
  std::atomic<bool> over = false;
  std::atomic<int> failed = 0, answered = 0;
  std::vector<std::thread> clients;
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([&, keeps = c % 2 == 0] {
      while (!over && failed == 0) {
        Client client(proxy);
        for (int i = 0; i < (keeps ? 1000 : 1) && !over; ++i) {
          const bool good = client.request("POST", "/", {}, "a body").status == 200;
          ++(good ? answered : failed);
        }
      }
    });
  }
  for (int i = 1; i <= kReloads && failed == 0; ++i) {
    settings.admission = admit(50 + i % 2);
    settings.upstream = "max_idle: " + std::to_string(i % 3);
    proxy.configure(settings);
    proxy.signal(SIGHUP);
    CHECK(eventually([&] { return reloads(proxy) >= i; }));
  }
  over = true;
  for (std::thread& client : clients) client.join();
  CHECK(failed == 0);
  CHECK(proxy.accounts_balance());
  MESSAGE(answered.load(), " requests across ", reloads(proxy), " reloads");
}

TEST_CASE("ready means that the API answers its poll with 2xx; without polls it counts as reachable") {
  std::atomic<int> status = 404;
  Upstream upstream([&](Turn& turn) { turn.answer("", {}, std::to_string(status) + " Some Status"); });
  const auto polled = [&](const std::string& interval) {
    return Settings{.health = "interval: " + interval + ", timeout: 10ms",
                    .upstream = "idle_timeout: 30s",
                    .more = "log: {format: json}\n"};
  };
  Settings settings = polled("20ms");
  Proxy proxy(upstream, settings);
  // The harness answers its own poll path with 204.
  CHECK(eventually([&] { return proxy.page("/ready").first == 200; }));
  const auto poll = [&](const std::string& path, const std::string& interval) {
    std::ofstream(proxy.path("proxy.yaml"))
        << "listen: 127.0.0.1:0\nadmin: {listen: '127.0.0.1:0'}\nlog: {format: json}\nupstream: {address: '"
        << upstream.address() << "', health: {path: " << path << ", interval: " << interval << ", timeout: 1ms}}\n";
    proxy.signal(SIGHUP);
  };
  poll("/other", "50ms");
  CHECK(eventually([&] { return proxy.page("/ready") == std::pair(503, std::string("the API is unreachable\n")); }));
  poll("/other", "0");
  CHECK(eventually([&] { return proxy.page("/ready").first == 200; }));
}

}  // namespace
}  // namespace spillway::test
