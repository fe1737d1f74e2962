// The API by its name: which of its addresses is used, and when a change of them is noticed.

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include <doctest/doctest.h>

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
    CHECK(proxy.metric("spillway_upstream_connect_failures_total") == 0);
    CHECK(proxy.accounts_balance());
  }
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
