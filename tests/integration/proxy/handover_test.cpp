// A new process takes over from the one that serves: listeners, and what was learned. No client notices.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/proxy/handover_place.hpp"
#include "tests/integration/proxy/held.hpp"

namespace spillway::test {
namespace {

const std::string kWebSocket =
    "GET /chat HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

TEST_CASE("a successor serves on the same ports, and the process before it ends") {
  Upstream upstream;
  const Place place;
  for (const int workers : {1, 2}) {
    CAPTURE(workers);
    Settings settings = place.settings();
    settings.workers = workers;
    settings.listen = "['127.0.0.1:0', 'unix:" + place.folder.path("traffic.sock") + "']";
    Proxy first(upstream, settings);
    CHECK(Client(first).get("/").status == 200);
    struct stat status {};
    REQUIRE(::stat(place.socket.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);

    settings.workers = 3 - workers;
    Proxy second(upstream, settings);
    REQUIRE(await_takeover(second, first));
    CHECK(second.port() == first.port());
    CHECK(second.admin_port() == first.admin_port());
    CHECK(second.page("/ready").first == 200);
    check_ended(first);
    CHECK(first.log().find("drained, bye") != std::string::npos);
    for (int i = 0; i < 8; ++i) CHECK(Client(second).get("/").status == 200);
    CHECK(Client(Wire::unix_socket(place.folder.path("traffic.sock"))).get("/").status == 200);
    CHECK(second.accounts_balance());

    Proxy third(upstream, settings);
    REQUIRE(await_takeover(third, second));
    check_ended(second);
    CHECK(Client(Wire::unix_socket(place.folder.path("traffic.sock"))).get("/").status == 200);
    CHECK(third.stop() == 0);
    CHECK_FALSE(std::filesystem::exists(place.socket));
    CHECK_FALSE(std::filesystem::exists(place.folder.path("traffic.sock")));
  }
}

TEST_CASE("the API never holds more than the cap, and who waited first is served first") {
  Upstream upstream(hold);
  const Place place;
  Settings settings = place.settings();
  settings.admission = admit(4) + ", queue: {max_wait: 5m, max_length: 100}";
  Proxy first(upstream, settings);
  std::list<Client> inside = fill(first, upstream, 4);
  std::list<Client> waiting, later;
  for (int i = 0; i < 3; ++i) waiting.emplace_back(first).start("GET", "/waited");
  REQUIRE(first.await_metric("spillway_queue_length", 3));

  Proxy second(upstream, settings);
  REQUIRE(await_takeover(second, first));
  for (int i = 0; i < 5; ++i) later.emplace_back(second).start("GET", "/later");
  REQUIRE(second.await_metric("spillway_queue_length", 5));
  CHECK(second.metric("spillway_inflight") == 0);
  CHECK(second.stat("elsewhere") >= 7);
  CHECK(upstream.inside() == 4);
  for (int released = 1; released <= 3; ++released) {
    upstream.release();
    REQUIRE(eventually([&] { return upstream.requests() == 4 + released; }));
  }
  for (const Upstream::Seen& seen : upstream.seen()) CHECK(seen.head.find("/later") == std::string::npos);
  for (int released = 4; released <= 8; ++released) {
    upstream.release();
    REQUIRE(eventually([&] { return upstream.requests() == 4 + released; }));
  }
  CHECK(upstream.inside() == 4);
  upstream.release_all();
  check_answered(inside);
  check_answered(waiting);
  check_answered(later);
  CHECK(upstream.most_inside() == 4);
  check_ended(first);
  CHECK(second.await_log("the process before has ended"));
  REQUIRE(eventually([&] { return second.stat("elsewhere") == 0; }));
}

TEST_CASE("a client of the process before that comes late gets a slot of the successor's") {
  Upstream upstream(hold);
  const Place place;
  Settings settings = place.settings();
  settings.admission = admit(1) + ", queue: {max_wait: 5m, max_length: 100}";
  settings.timeouts = "request_head: 5m, drain: 5m";
  Proxy first(upstream, settings);
  Client late(first), other(first);
  late.send("GET /late HTTP/1.1\r\nHost: test\r\n");
  REQUIRE(first.await_metric("spillway_client_connections", 2));
  Proxy second(upstream, settings);
  REQUIRE(await_takeover(second, first));
  Client early(second);
  early.start("GET", "/early");
  REQUIRE(eventually([&] { return upstream.inside() == 1; }));
  late.send("\r\n");
  REQUIRE(eventually([&] { return second.stat("elsewhere") == 1; }));
  CHECK(upstream.inside() == 1);
  upstream.release(1);
  CHECK(early.receive().status == 200);
  REQUIRE(eventually([&] { return upstream.requests() == 2; }));
  upstream.release(1);
  CHECK(late.receive().status == 200);
  CHECK(upstream.most_inside() == 1);
  check_ended(first);
}

/// Seconds in the history of the status page.
std::ptrdiff_t samples(const Proxy& proxy) {
  const std::string json = proxy.page("/stats/history").second;
  const std::string before = "\"time\":[";
  const std::size_t at = json.find(before);
  if (at == std::string::npos) return 0;
  const std::string times = json.substr(at + before.size(), json.find(']', at) - at - before.size());
  return times.empty() ? 0 : std::count(times.begin(), times.end(), ',') + 1;
}

TEST_CASE("a breaker that is open stays open, and the history goes on") {
  Upstream upstream([](Turn& turn) { turn.answer("", "", "500 Internal Server Error"); });
  const Place place;
  const Settings settings = place.settings("breaker: {min_requests: 5, open_for: 5m, max_open: 10m}\n");
  Settings no_polls = settings;
  no_polls.health = "mode: 'off'";
  Proxy first(upstream, no_polls);
  Client client(first);
  REQUIRE(eventually([&] { return client.get("/").status == 503; }));
  REQUIRE(first.await_metric("spillway_breaker_state", 2));
  REQUIRE(eventually([&] { return samples(first) >= 3; }));
  const std::ptrdiff_t seen = samples(first);
  const int asked = upstream.requests();

  Proxy second(upstream, no_polls);
  REQUIRE(await_takeover(second, first));
  CHECK(second.metric("spillway_breaker_state") == 2);
  CHECK(samples(second) >= seen);
  const Reply refused = Client(second).get("/");
  CHECK(refused.status == 503);
  CHECK(refused.problem("reason") == "breaker");
  CHECK(upstream.requests() == asked);
  check_ended(first);
}

TEST_CASE("a successor counts the API's database errors from where the process before it has left off") {
  std::atomic<int> errors = 7;
  Upstream upstream([&](Turn& turn) {
    turn.answer("", "Endpoint-Load-Metrics: TEXT named_metrics.db_pool_size=5,named_metrics.db_connection_errors=" +
                        std::to_string(errors) + "\r\n");
  });
  const Place place;
  Proxy first(upstream, place.settings());
  CHECK(Client(first).get("/").status == 200);
  REQUIRE(first.await_metric("database_connection_errors", 7));

  Proxy second(upstream, place.settings());
  REQUIRE(await_takeover(second, first));
  CHECK(Client(second).get("/").status == 200);
  REQUIRE(second.await_metric("database_pool_size", 5));
  CHECK(second.metric("database_connection_errors") == 0);
  errors = 9;
  CHECK(Client(second).get("/").status == 200);
  CHECK(second.await_metric("database_connection_errors", 2));
  check_ended(first);
}

TEST_CASE("a tunnel goes on in the process before while the successor serves") {
  Upstream upstream([](Turn& turn) {
    if (turn.field("Upgrade") != "websocket") return turn.answer();
    turn.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    std::string word;
    while (turn.wire().read_exactly(4, word)) {
      turn.send(word);
      word.clear();
    }
  });
  const Place place;
  Proxy first(upstream, place.settings());
  Client tunnel(first);
  tunnel.send(kWebSocket);
  REQUIRE(tunnel.receive().status == 101);
  Proxy second(upstream, place.settings());
  REQUIRE(await_takeover(second, first));
  CHECK(Client(second).get("/").status == 200);
  CHECK(tunnel.send("ping"));
  std::string word;
  CHECK(tunnel.wire().read_exactly(4, word));
  CHECK(word == "ping");
  tunnel.close();
  check_ended(first);
}

/// Sends SIGUSR2, and waits until the successor that it starts has taken over. -1: it has not.
pid_t upgrade(const Proxy& proxy) {
  proxy.signal(SIGUSR2);
  if (!proxy.await_log("upgrade: started ")) return -1;
  const std::string log = proxy.log();
  const std::string before = " as process ";
  const pid_t next = std::stoi(log.substr(log.find(before) + before.size()));
  return proxy.await_log("taken over from process " + std::to_string(proxy.pid())) ? next : -1;
}

/// The sockets and pipes of a process behind its standard streams, by name and inode.
std::set<std::string> channels(pid_t process) {
  std::set<std::string> found;
  std::error_code ignored;
  for (const auto& each : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/fd", ignored)) {
    const std::string name = std::filesystem::read_symlink(each.path(), ignored);
    const bool standard = std::stoi(each.path().filename()) <= STDERR_FILENO;
    if (!standard && (name.starts_with("socket:") || name.starts_with("pipe:"))) found.insert(name);
  }
  return found;
}

TEST_CASE("a successor that SIGUSR2 starts holds the listeners of the process before, and nothing else") {
  for (const char* const io : {"epoll", "auto"}) {
    CAPTURE(io);
    Upstream upstream(hold);
    const Place place;
    Proxy first(upstream, place.settings(std::string("io: ") + io + "\n"));
    std::list<Client> clients = fill(first, upstream, 4);
    upstream.release(2);
    REQUIRE(first.await_metric("spillway_upstream_connections", 2, {{"state", "idle"}}));
    REQUIRE(first.metric("spillway_upstream_connections", {{"state", "active"}}) == 2);
    const std::set<std::string> before = channels(first.pid());

    const pid_t next = upgrade(first);
    REQUIRE(next > 0);
    std::set<std::string> shared = channels(next);
    std::erase_if(shared, [&](const std::string& each) { return !before.contains(each); });
    CHECK(before.size() >= 4 + 4 + 3);  // of clients, of the API, and the listeners of traffic, admin, and hand-over
    CHECK(shared.size() == 3);
    upstream.release_all();
    check_answered(clients);
    CHECK(::kill(next, SIGTERM) == 0);
    CHECK(first.wait() == 0);
  }
}

TEST_CASE("SIGUSR2 starts a successor by the same command") {
  Upstream upstream;
  const Place place;
  Proxy first(upstream, place.settings());
  const pid_t next = upgrade(first);
  REQUIRE(next > 0);
  CHECK(Client(first.port()).get("/").status == 200);
  CHECK(::kill(next, SIGTERM) == 0);
  CHECK(first.wait() == 0);
  CHECK_FALSE(Wire::tcp(first.port()).descriptor() >= 0);
}

/// Clients without a pause, every fourth with a new connection for each request.
class Load {
 public:
  Load(int port, int clients) {
    for (int i = 0; i < clients; ++i) threads_.emplace_back([this, port, i] { run(port, i % 4 == 0); });
  }
  ~Load() { stop(); }
  void stop() {
    over_ = true;
    for (std::thread& each : threads_) each.join();
    threads_.clear();
  }
  /// A connection was closed while a request was on its way, and a new one answered it.
  std::atomic<int> answered{0}, failed{0}, retried{0};
  std::atomic<int> status{0};

 private:
  void run(int port, bool fresh) {
    std::optional<Client> client;
    while (!over_) {
      const bool reused = client.has_value();
      if (!reused) client.emplace(port);
      const Reply reply = client->get("/", fresh ? "Connection: close\r\n" : "");
      if (reply.status == 200 && reply.whole) {
        ++answered;
        if (reply.field("Connection") == "close") client.reset();
      } else {
        ++(reused && reply.status == 0 ? retried : failed);
        if (reply.status != 0) status = reply.status;
        client.reset();
      }
    }
  }
  std::atomic<bool> over_{false};
  std::vector<std::thread> threads_;
};

int swaps() {
  const char* const wanted = std::getenv("UPGRADES");  // NOLINT(concurrency-mt-unsafe)
  return wanted ? std::atoi(wanted) : 10;
}

double number_after(const std::string& text, const std::string& before) {
  const std::size_t at = text.rfind(before);
  return at == std::string::npos ? 0 : std::stod(text.substr(at + before.size()));
}

TEST_CASE("upgrades under full load lose no request, and keep what was learned") {
  // An API of eight slots behind a learned limit: full all the time, with as many clients waiting.
  std::mutex mutex;
  std::condition_variable left;
  int slots = 8;
  Upstream upstream([&](Turn& turn) {
    {
      std::unique_lock lock(mutex);
      left.wait(lock, [&] { return slots > 0; });
      --slots;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    {
      const std::lock_guard lock(mutex);
      ++slots;
    }
    left.notify_one();
    turn.answer();
  });
  constexpr int kCap = 40;
  const Place place;
  Settings settings = place.settings();
  settings.admission = admit(kCap) + ", adaptive: {enabled: true}, queue: {max_wait: 1m, max_length: 1000}";
  auto current = std::make_unique<Proxy>(upstream, settings);
  Load load(current->port(), 48);
  REQUIRE(eventually([&] { return load.answered > 2000 && current->stat("baseline_ms") > 0; }));
  const double limit_before = current->metric("spillway_concurrency_limit");
  double worst = 0;
  for (int i = 0; i < swaps() && load.failed == 0; ++i) {
    settings.workers = 1 + i % 2;
    auto next = std::make_unique<Proxy>(upstream, settings);
    REQUIRE(await_takeover(*next, *current));
    REQUIRE(current->await_log("goes over: limit "));
    const double before = number_after(current->log(), "goes over: limit ");
    const double after =
        number_after(next->log(), "taken over from process " + std::to_string(current->pid()) + ": limit ");
    worst = std::max(worst, std::abs(after / before - 1));
    INFO(current->log(), next->log());
    CHECK(worst <= 0.05);
    const int answered = load.answered;
    CHECK(eventually([&] { return load.answered > answered + 200 || load.failed > 0; }));
    check_ended(*current);
    current = std::move(next);
  }
  const double limit_after = current->metric("spillway_concurrency_limit");
  load.stop();
  CHECK(load.failed == 0);
  CHECK(upstream.most_inside() <= kCap);
  CHECK(current->accounts_balance());
  MESSAGE(swaps(), " upgrades: ", load.answered.load(), " requests answered, ", load.failed.load(), " failed (",
          load.status.load(), "), ", load.retried.load(), " sent again on a new connection; limit before ",
          limit_before, ", after ", limit_after, ", changed by an upgrade by ", 100 * worst,
          " % at most; most at the API ", upstream.most_inside(), " of ", kCap);
}

}  // namespace
}  // namespace spillway::test
