// The configuration changes while the proxy serves.

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include <doctest/doctest.h>
#include <sys/stat.h>

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

TEST_CASE("a change of the file is noticed, in whichever way it is written") {
  Upstream upstream;
  Proxy proxy(upstream, with_capacity(10));
  REQUIRE(proxy.await_metric("spillway_capacity", 10));

  proxy.configure(with_capacity(11));  // written in place
  CHECK(proxy.await_metric("spillway_capacity", 11));

  std::ofstream(proxy.path("other.yaml")) << read(proxy.path("proxy.yaml")) << "limits: {connections: 77}\n";
  fs::rename(proxy.path("other.yaml"), proxy.path("proxy.yaml"));  // as editors replace a file
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

TEST_CASE("a change through another link, and one in a busy folder, is noticed") {
  Upstream upstream;
  Proxy proxy(upstream, with_capacity(10));
  std::atomic<bool> over = false;
  std::thread busy([&] {
    while (!over) {
      std::ofstream(proxy.path("other")) << "something";
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  proxy.configure(with_capacity(11));
  CHECK(proxy.await_metric("spillway_capacity", 11));
  over = true;
  busy.join();

  // A hard link to the file, as when the file alone is mounted into a container.
  fs::create_directory(proxy.path("elsewhere"));
  fs::create_hard_link(proxy.path("proxy.yaml"), proxy.path("elsewhere/proxy.yaml"));
  std::ofstream(proxy.path("elsewhere/proxy.yaml"), std::ios::app) << "limits: {connections: 78}\n";
  CHECK(eventually([&] { return proxy.page("/config").second.find("connections: 78") != std::string::npos; }));

  // A symlink whose target changes.
  fs::remove(proxy.path("proxy.yaml"));
  fs::create_symlink("elsewhere/proxy.yaml", proxy.path("proxy.yaml"));
  std::ofstream(proxy.path("elsewhere/proxy.yaml"), std::ios::app) << "retry: {budget: 0.43}\n";
  CHECK(eventually([&] { return proxy.page("/config").second.find("budget: 0.43") != std::string::npos; }));

  // A folder in its path is replaced.
  fs::create_directory(proxy.path("new"));
  std::ofstream(proxy.path("new/proxy.yaml")) << read(proxy.path("elsewhere/proxy.yaml")) << "forwarded_header: true\n";
  fs::remove_all(proxy.path("elsewhere"));
  fs::create_directory_symlink("new", proxy.path("elsewhere"));
  CHECK(eventually([&] { return proxy.page("/config").second.find("forwarded_header: true") != std::string::npos; }));
  CHECK(proxy.await_metric("spillway_config_last_reload_successful", 1));
}

TEST_CASE("an empty, missing or unreadable file is refused and shown in log, metric and page until it is valid again") {
  Upstream upstream;
  for (const char* reload : {"auto", "signal"}) {
    CAPTURE(reload);
    Settings settings = with_capacity(10);
    settings.more += std::string("reload: ") + reload + "\n";
    Proxy proxy(upstream, settings);
    const std::string path = proxy.path("proxy.yaml");
    const std::string content = read(path);
    struct Row {
      const char* says;
      std::function<void()> change;
    };
    const Row rows[] = {
        {"holds no key", [&] { std::ofstream file(path); }},
        {"holds no key", [&] { std::ofstream(path) << "# all commented out\n# workers: 2\n"; }},
        {"No such file or directory", [&] { fs::remove(path); }},
        {"not a regular file",
         [&] {
           fs::remove(path);
           fs::create_directory(path);
         }},
        {"not a regular file",
         [&] {
           fs::remove(path);
           CHECK(::mkfifo(path.c_str(), 0600) == 0);
         }},
        {"must be keys and values", [&] { std::ofstream(path) << "half"; }},
    };
    int done = 1;
    for (const Row& row : rows) {
      CAPTURE(row.says);
      const std::size_t before = proxy.log().size();
      row.change();
      if (settings.more.find("signal") != std::string::npos) proxy.signal(SIGHUP);
      CHECK(proxy.await_metric("spillway_config_last_reload_successful", 0));
      CHECK(proxy.page("/stats").second.find("\"config\":{\"refused\":true") != std::string::npos);
      CHECK(proxy.metric("spillway_capacity") == 10);
      CHECK(proxy.page("/config").second.find("max_concurrent: 10") != std::string::npos);
      CHECK(eventually([&] { return proxy.log().find("configuration not reloaded", before) != std::string::npos; }));
      CHECK(proxy.log().find(row.says, before) != std::string::npos);
      CHECK(Client(proxy).get("/").status == 200);

      fs::remove_all(path);
      std::ofstream(path) << content;
      if (settings.more.find("signal") != std::string::npos) proxy.signal(SIGHUP);
      CHECK(proxy.await_metric("spillway_config_last_reload_successful", 1));
      CHECK(eventually([&] { return reloads(proxy) == done; }));
      ++done;
    }
    CHECK(proxy.page("/stats").second.find("\"config\":{\"refused\":false") != std::string::npos);
  }
}

TEST_CASE("the log names the changed keys, and a gauge shows that some need a restart") {
  Upstream upstream;
  Proxy proxy(upstream, with_capacity(10));
  CHECK(proxy.metric("spillway_config_restart_pending") == 0);
  Settings settings = with_capacity(20);
  settings.limits = "body: 3MiB";
  settings.workers = 2;
  proxy.configure(settings);
  proxy.signal(SIGHUP);
  REQUIRE(proxy.await_log(
      "configuration reloaded, changed: admission.max_concurrent 10 -> 20, limits.body 10MiB -> 3MiB\""));
  CHECK(proxy.log().find("workers has changed: takes effect at the next start") != std::string::npos);
  CHECK(proxy.await_metric("spillway_config_restart_pending", 1));
  CHECK(proxy.page("/stats").second.find("\"restart_pending\":true") != std::string::npos);
  settings.workers = 1;
  proxy.configure(settings);
  proxy.signal(SIGHUP);
  REQUIRE(proxy.await_log("configuration reloaded, nothing has changed"));
  CHECK(proxy.await_metric("spillway_config_restart_pending", 0));
}

TEST_CASE("a substituted value is shown as its reference, after a reload, too") {
  ::setenv("SPILLWAY_TEST_SECRET", "hunter2", 1);  // NOLINT(concurrency-mt-unsafe)
  Upstream upstream;
  Settings settings = with_capacity(10);
  settings.more += "maintenance: {message: '${env:SPILLWAY_TEST_SECRET}'}\n";
  Proxy proxy(upstream, settings);
  std::ofstream(proxy.path("capacity")) << "17\n";
  const auto shown = [&](const std::string& text) {
    return proxy.page("/config").second.find(text) != std::string::npos;
  };
  CHECK(shown("message: \"${env:SPILLWAY_TEST_SECRET}\""));
  settings.admission = "max_concurrent: '${file:" + proxy.path("capacity") + "}'";
  proxy.configure(settings);
  REQUIRE(proxy.await_metric("spillway_capacity", 17));
  CHECK(shown("max_concurrent: \"${file:" + proxy.path("capacity") + "}\""));
  CHECK(shown("message: \"${env:SPILLWAY_TEST_SECRET}\""));
  CHECK(!shown("hunter2"));
  CHECK(proxy.log().find("hunter2") == std::string::npos);
}

TEST_CASE("with reload: signal only SIGHUP reloads") {
  Upstream upstream;
  Settings settings = with_capacity(10);
  settings.more += "reload: signal\n";
  Proxy proxy(upstream, settings);
  settings.admission = admit(11);
  proxy.configure(settings);
  // The poll of the file would take half a second; a late reload is a failure.
  CHECK(!eventually([&] { return reloads(proxy) > 0; }, std::chrono::milliseconds(1000)));
  proxy.signal(SIGHUP);
  CHECK(proxy.await_metric("spillway_capacity", 11));
}

TEST_CASE("a body that is missing is taken up once it appears, and a changed one is named") {
  Upstream upstream;
  Settings settings;
  Proxy proxy(upstream, settings);
  const std::string body = proxy.path("busy.html");
  settings.more = "refusals: {default: {format: file, content_type: text/html, file: '" + body + "'}}\n";
  proxy.configure(settings);
  REQUIRE(proxy.await_log("configuration not reloaded"));
  std::ofstream(body) << "one";
  REQUIRE(proxy.await_log("configuration reloaded, changed: refusals.default"));
  CHECK(proxy.metric("spillway_config_last_reload_successful") == 1);

  std::ofstream(body) << "another";
  CHECK(proxy.await_log("configuration reloaded, changed: the text of " + body + "\""));
  fs::remove(body);
  CHECK(proxy.await_metric("spillway_config_last_reload_successful", 0));
  std::ofstream(body) << "a third";
  CHECK(proxy.await_metric("spillway_config_last_reload_successful", 1));
}

TEST_CASE("keys that need a restart are named and keep their values, the rest of the file is applied") {
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

TEST_CASE("a configuration file that blocks delays neither requests nor the end of the process") {
  Upstream upstream;
  Proxy proxy(upstream);
  fs::remove(proxy.path("proxy.yaml"));
  REQUIRE(::mkfifo(proxy.path("proxy.yaml").c_str(), 0600) == 0);
  proxy.signal(SIGHUP);
  CHECK(proxy.await_metric("spillway_config_last_reload_successful", 0));
  CHECK(Client(proxy).get("/").status == 200);
  CHECK(proxy.stop() == 0);
}

TEST_CASE("requests in flight, queued requests and connections survive a reload") {
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

TEST_CASE("100 reloads under load fail no request and no connection") {
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

TEST_CASE("ready means that the API answers its poll as expected; without polls it counts as reachable") {
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
  CHECK(eventually([&] { return proxy.page("/ready").second.starts_with("the API is unreachable\n"); }));
  poll("/other", "0");
  CHECK(eventually([&] { return proxy.page("/ready").first == 200; }));
}

}  // namespace
}  // namespace spillway::test
