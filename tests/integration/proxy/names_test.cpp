// The API by its name: which of its addresses is used, and when a change of them is noticed.

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <vector>

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"
#include "tests/support/listener.hpp"

namespace spillway::test {
namespace {

/// What `api.test` and `localhost` resolve to in the proxy.
class Names {
 public:
  explicit Names(const std::string& lines) { change(lines); }
  /// At once: a look-up sees the old lines or the new ones.
  void change(const std::string& lines) const {
    std::ofstream(folder_.path("new")) << lines << '\n';
    REQUIRE(std::rename(folder_.path("new").c_str(), folder_.path("names").c_str()) == 0);
  }
  Settings settings(const Upstream& upstream, const std::string& name = "api.test") const {
    const char* const options = std::getenv("ASAN_OPTIONS");
    Settings settings;
    settings.upstream = "resolve_interval: 100ms";
    settings.address = name + upstream.address().substr(upstream.address().rfind(':'));
    settings.environment = {{"LD_PRELOAD", PRELOADED_NAMES},
                            {"PRELOADED_NAMES_FILE", folder_.path("names")},
                            {"ASAN_OPTIONS", std::string(options ? options : "") + ":verify_asan_link_order=0"}};
    return settings;
  }

 private:
  Folder folder_;
};

TEST_CASE("an address that refuses is followed by the next one, which is remembered") {
  for (const char* const name : {"api.test 127.0.0.2 127.0.0.1", "api.test ::1 127.0.0.1"}) {
    CAPTURE(name);
    Upstream upstream([](Turn& turn) { turn.answer("ok", "Connection: close\r\n"); });
    const Names names(name);
    Proxy proxy(upstream, names.settings(upstream));
    Client client(proxy);
    CHECK(client.get("/").status == 200);
    CHECK(eventually([&] { return proxy.page("/ready").first == 200; }));
    const double before = proxy.metric("spillway_upstream_connects_total");
    for (int i = 0; i < 5; ++i) CHECK(client.get("/").status == 200);
    CHECK(proxy.metric("spillway_upstream_connects_total") == before + 5);
    CHECK(proxy.metric("spillway_upstream_connect_failures_total") == before - 1);
    CHECK(proxy.accounts_balance());
  }
}

TEST_CASE("a refused connect counts as failed, although the next address answers") {
  Upstream upstream;
  const Names names("api.test 127.0.0.3 127.0.0.2 127.0.0.1");
  Settings settings = names.settings(upstream);
  settings.health = "interval: 0";
  Proxy proxy(upstream, settings);
  CHECK(Client(proxy).get("/").status == 200);
  CHECK(proxy.metric("spillway_upstream_connects_total") == 3);
  CHECK(proxy.metric("spillway_upstream_connect_failures_total") == 2);
}

sockaddr_in at(std::uint32_t host, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(host);
  return address;
}

/// Connects until the queue of the listener is full: the kernel drops whatever comes then, without a word. `least`:
/// connects that find room for certain, sooner or later.
std::vector<Wire> fill_queue(std::uint32_t host, int port, std::size_t least) {
  constexpr int kRoomForCertain = 10'000, kRoomPerhaps = 100;  // milliseconds
  const sockaddr_in address = at(host, port);
  std::vector<Wire> waiting;
  for (;;) {
    Wire& next = waiting.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    ::connect(next.descriptor(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    pollfd ready{next.descriptor(), POLLOUT, 0};
    if (::poll(&ready, 1, waiting.size() <= least ? kRoomForCertain : kRoomPerhaps) == 0) return waiting;
  }
}

/// A listener whose queue is full.
struct BlackHole {
  BlackHole(std::uint32_t host, int port) : listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = at(host, port);
    socklen_t size = sizeof address;
    REQUIRE(::bind(listener.descriptor(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener.descriptor(), 0) == 0);
    REQUIRE(::getsockname(listener.descriptor(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    bound = ntohs(address.sin_port);
    waiting = fill_queue(host, bound, 1);
  }
  int bound = 0;  ///< its port
  Wire listener;
  std::vector<Wire> waiting;
};

constexpr std::uint32_t kFirst = INADDR_LOOPBACK, kSecond = INADDR_LOOPBACK + 1;

int port_of(const Upstream& upstream) {
  return std::stoi(upstream.address().substr(upstream.address().rfind(':') + 1));
}

/// No connection is left over from a race.
bool nothing_is_left(const Proxy& proxy, int idle) {
  return proxy.await_metric("spillway_upstream_connections", 0, {{"state", "active"}}) &&
         proxy.await_metric("spillway_upstream_connections", idle, {{"state", "idle"}});
}

TEST_CASE("a silent address is followed by the next one, and its connect is closed when that one answers") {
  Upstream upstream;
  const BlackHole silent(kSecond, port_of(upstream));
  const Names names("api.test 127.0.0.2 127.0.0.1");
  Settings settings = names.settings(upstream);
  settings.health = "interval: 0";
  settings.upstream += ", connect_timeout: 60s";
  Proxy proxy(upstream, settings);
  CHECK(Client(proxy).get("/").status == 200);
  CHECK(proxy.metric("spillway_upstream_connects_total") == 2);
  CHECK(proxy.metric("spillway_upstream_connect_failures_total") == 1);
  CHECK(nothing_is_left(proxy, 1));
  CHECK(proxy.accounts_balance());
}

TEST_CASE("the only connection goes to the next address rather than to a silent one") {
  Upstream upstream;
  const BlackHole silent(kSecond, port_of(upstream));
  const Names names("api.test 127.0.0.2 127.0.0.1");
  Settings settings = names.settings(upstream);
  settings.health = "interval: 0";
  settings.upstream += ", connect_timeout: 60s, max_connections: 1";
  settings.admission = admit(1);
  Proxy proxy(upstream, settings);
  CHECK(Client(proxy).get("/").status == 200);
  CHECK(nothing_is_left(proxy, 1));
  CHECK(proxy.accounts_balance());
}

TEST_CASE("an address that answers late wins while the next one is silent, with the connect that it had") {
  Upstream upstream;
  upstream.pause();  // takes one more, and then its queue takes two
  const std::vector<Wire> waiting = fill_queue(kFirst, port_of(upstream), 3);
  const BlackHole silent(kSecond, port_of(upstream));
  const Names names("api.test 127.0.0.1 127.0.0.2");
  Settings settings = names.settings(upstream);
  settings.health = "interval: 0";
  settings.upstream += ", connect_timeout: 60s";
  Proxy proxy(upstream, settings);
  Client client(proxy);
  client.start("GET", "/");
  REQUIRE(proxy.await_metric("spillway_upstream_connects_total", 2));
  upstream.resume();
  CHECK(client.receive().status == 200);
  CHECK(proxy.metric("spillway_upstream_connects_total") == 2);
  CHECK(nothing_is_left(proxy, 1));
  CHECK(proxy.accounts_balance());
}

TEST_CASE("when every address is silent, all attempts end with connect_timeout") {
  Upstream upstream;
  const BlackHole first(kFirst, 0), second(kSecond, first.bound);
  const Names names("api.test 127.0.0.1 127.0.0.2");
  Settings settings = names.settings(upstream);
  settings.address = "api.test:" + std::to_string(first.bound);
  settings.health = "interval: 0";
  settings.upstream += ", connect_timeout: 700ms";
  Proxy proxy(upstream, settings);
  const Reply reply = Client(proxy).get("/");
  CHECK(reply.status == 504);
  CHECK(reply.problem("reason") == "connect_timeout");
  CHECK(nothing_is_left(proxy, 0));
  CHECK(proxy.accounts_balance());
}

TEST_CASE("localhost is found on 127.0.0.1 when ::1 refuses") {
  Upstream upstream;
  const Names names("localhost ::1 127.0.0.1");
  Proxy proxy(upstream, names.settings(upstream, "localhost"));
  CHECK(Client(proxy).get("/").status == 200);
  CHECK(eventually([&] { return proxy.page("/ready").first == 200; }));
}

TEST_CASE("idle connections to an address that the name has no more are closed at once") {
  Upstream upstream;
  const Names names("api.test 127.0.0.1");
  Proxy proxy(upstream, names.settings(upstream));
  Client client(proxy);
  CHECK(client.get("/").status == 200);
  CHECK(proxy.await_metric("spillway_upstream_connections", 1, {{"state", "idle"}}));

  names.change("api.test 127.0.0.2");
  CHECK(proxy.await_log("api.test is 127.0.0.2, was 127.0.0.1"));
  CHECK(proxy.await_metric("spillway_upstream_connections", 0, {{"state", "idle"}}));
  CHECK(client.get("/").status == 502);

  names.change("api.test 127.0.0.1");
  CHECK(eventually([&] { return client.get("/").status == 200; }));
  CHECK(proxy.accounts_balance());
}

TEST_CASE("a failed connect brings a look-up before resolve_interval is over") {
  Upstream upstream;
  const Names names("api.test 127.0.0.2");
  Settings settings = names.settings(upstream);
  settings.upstream = "resolve_interval: 1h";
  Proxy proxy(upstream, settings);
  Client client(proxy);
  CHECK(client.get("/").status == 502);
  names.change("api.test 127.0.0.1");
  CHECK(eventually([&] { return client.get("/").status == 200; }));
}

TEST_CASE(
    "an API that returns at another address is found at once, however seldom it is polled and its name looked up") {
  Upstream upstream;
  const Names names("api.test 127.0.0.1");
  Settings settings = names.settings(upstream);
  settings.upstream = "resolve_interval: 1h";
  settings.health = "interval: 1h, timeout: 1m";  // a busy machine may answer late
  settings.more = "breaker: {open_for: 1h, max_open: 1h}\n";
  Proxy proxy(upstream, settings);
  Client client(proxy);
  CHECK(client.get("/").status == 200);
  upstream.down();
  CHECK(eventually([&] { return client.get("/").problem("reason") == "breaker"; }));
  names.change("api.test 127.0.0.2");
  CHECK(proxy.await_log("api.test is 127.0.0.2, was 127.0.0.1"));
  upstream.up();
  names.change("api.test 127.0.0.1");
  CHECK(eventually([&] { return client.get("/").status == 200; }));
  CHECK(proxy.accounts_balance());
}

TEST_CASE("a silent API's new address is polled as soon as it is known") {
  Upstream upstream;
  const BlackHole silent(kSecond, port_of(upstream));
  const Names names("api.test 127.0.0.2");
  Settings settings = names.settings(upstream);
  settings.health = "interval: 1h, timeout: 100ms";
  Proxy proxy(upstream, settings);
  CHECK(proxy.await_log("the API is unreachable"));
  names.change("api.test 127.0.0.1");
  CHECK(proxy.await_log("the API is reachable"));
}

TEST_CASE("a name that cannot be resolved at the start may appear later, and one that vanishes stays in use") {
  Upstream upstream;
  const Names names("api.test");
  Proxy proxy(upstream, names.settings(upstream));
  CHECK(proxy.await_log("upstream.address: cannot resolve api.test"));
  CHECK(proxy.page("/ready") == std::pair(503, std::string("the API's name cannot be resolved\n")));
  Client client(proxy);
  const Reply reply = client.get("/");
  CHECK(reply.status == 502);
  CHECK(reply.problem("reason") == "connect_failed");

  names.change("api.test 127.0.0.1");
  CHECK(eventually([&] { return client.get("/").status == 200; }));
  CHECK(eventually([&] { return proxy.page("/ready").first == 200; }));

  names.change("api.test");
  CHECK(proxy.await_log("the addresses known stay in use"));
  CHECK(client.get("/").status == 200);
  CHECK(proxy.page("/ready").first == 200);
  CHECK(proxy.accounts_balance());
}

TEST_CASE("a look-up that never ends stops neither the start nor the end") {
  Upstream upstream;
  const Names names("");
  Proxy proxy(upstream, names.settings(upstream, "never.test"));
  CHECK(proxy.page("/ready") == std::pair(503, std::string("the API's name cannot be resolved\n")));
  CHECK(Client(proxy).get("/").status == 502);
  CHECK(proxy.stop() == 0);
}

}  // namespace
}  // namespace spillway::test
