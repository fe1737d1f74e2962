// The admin listener answers probes and scrapers whatever other clients do.

#include <doctest/doctest.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"

namespace spillway::test {
namespace {

const std::string kAsk = "GET /health HTTP/1.1\r\nHost: admin\r\n\r\n";

TEST_CASE("connections without a whole request lock no other client out of the admin listener") {
  Upstream upstream;
  Proxy proxy(upstream);
  REQUIRE(eventually([&] { return proxy.page("/ready").first == 200; }));
  std::vector<Client> silent;
  for (int i = 0; i < 200; ++i) {
    silent.push_back(proxy.admin());
    if (i % 2 == 0) silent.back().send("GET /ready HTTP/1.1\r\nHost:");
  }
  CHECK(proxy.page("/ready").first == 200);
  CHECK(proxy.healthcheck() == 0);
  CHECK(silent.front().ended() != End::silent);  // it was evicted
}

TEST_CASE("a scraper keeps its connection while a few other clients connect") {
  Upstream upstream;
  Proxy proxy(upstream);
  Client scraper = proxy.admin();
  scraper.send(kAsk);
  CHECK(scraper.receive().status == 200);
  std::vector<Client> others;
  for (int i = 0; i < 40; ++i) others.push_back(proxy.admin());
  scraper.send(kAsk);
  CHECK(scraper.receive().status == 200);
  for (int i = 0; i < 40; ++i) others.push_back(proxy.admin());  // 81 in all: the oldest silent ones are evicted
  scraper.send(kAsk);
  CHECK(scraper.receive().status == 200);
  CHECK(others.front().ended() != End::silent);
}

TEST_CASE("a scraper gets OpenMetrics, and gzip, if it asks for them") {
  Upstream upstream([](Turn& turn) { turn.answer("12345"); });
  Proxy proxy(upstream);
  CHECK(Client(proxy).request("POST", "/", "", "1234567").status == 200);
  REQUIRE(proxy.await_metric("spillway_bytes_total", 7, {{"direction", "in"}}));
  CHECK(proxy.metric("spillway_bytes_total", {{"direction", "out"}}) == 5);
  CHECK(eventually([&] { return proxy.metric("spillway_event_loop_lag_seconds_count") >= 1; }));
  CHECK(proxy.metric("process_resident_memory_bytes") > 1'000'000);
  CHECK(proxy.metric("process_open_fds") >= 5);
  CHECK(proxy.metric("process_max_fds") > proxy.metric("process_open_fds"));
  CHECK(proxy.metric("process_start_time_seconds") > 1'600'000'000);

  Client scraper = proxy.admin();
  const auto scrape = [&](const std::string& fields) {
    scraper.send("GET /metrics HTTP/1.1\r\nHost: admin\r\n" + fields + "\r\n");
    return scraper.receive();
  };
  const Reply plain = scrape("");
  CHECK(plain.field("content-type") == "text/plain; version=0.0.4; charset=utf-8");
  CHECK_FALSE(plain.has("content-encoding"));
  const Reply open = scrape("Accept: application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.3\r\n");
  CHECK(open.field("content-type") == "application/openmetrics-text; version=1.0.0; charset=utf-8");
  CHECK(open.body.ends_with("\n# EOF\n"));
  const Reply small = scrape("Accept-Encoding: gzip\r\n");
  CHECK(small.field("content-encoding") == "gzip");
  CHECK(small.whole);
  CHECK(small.body.starts_with("\x1f\x8b"));
  CHECK(small.body.size() < plain.body.size() / 4);
}

TEST_CASE("the status page runs and loads nothing but what it holds, and no page is taken for another type") {
  Upstream upstream;
  Proxy proxy(upstream);
  Client browser = proxy.admin();
  for (const char* const path : {"/", "/metrics", "/stats", "/none"}) {
    CAPTURE(path);
    browser.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: admin\r\n\r\n");
    const Reply reply = browser.receive();
    CHECK(reply.field("x-content-type-options") == "nosniff");
    const std::string policy = reply.field("content-security-policy");
    CHECK(policy.empty() == (std::string_view(path) != "/"));
    if (policy.empty()) continue;
    CHECK(policy.starts_with("default-src 'none'; script-src 'sha256-"));
    CHECK(policy.find("unsafe") == std::string::npos);
    CHECK(policy.ends_with("frame-ancestors 'none'"));
  }
}

TEST_CASE("a request that the admin listener cannot serve is told so") {
  struct Row {
    std::string raw;
    int status;
    bool stays;
  };
  Upstream upstream;
  Proxy proxy(upstream);
  for (const Row& row : {Row{"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 405, true},
                         Row{"GET /none HTTP/1.1\r\nHost: a\r\n\r\n", 404, true}, Row{"nonsense\r\n\r\n", 400, false},
                         Row{"GET / HTTP/1.1\r\nX: " + std::string(10'000, 'x') + "\r\n\r\n", 431, false},
                         Row{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n", 413, false},
                         Row{"GET /health HTTP/1.1\r\n\r\n", 400, false},
                         Row{"GET /health HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, false},
                         Row{"GET /health HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400, false},
                         Row{"GET http://a/none?x HTTP/1.1\r\nHost: a\r\n\r\n", 404, true},
                         Row{"GET http://a/health?x HTTP/1.1\r\nHost: a\r\n\r\n", 200, true},
                         Row{"GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", 200, true}}) {
    CAPTURE(row.status);
    Client client = proxy.admin();
    client.send(row.raw);
    const Reply reply = client.receive();
    CHECK(reply.status == row.status);
    CHECK(reply.field("date").ends_with(" GMT"));
    CHECK(reply.field("allow") == (row.status == 405 ? "GET, HEAD" : ""));
    if (!row.stays) {
      CHECK(client.ended() != End::silent);
    } else {
      client.send(kAsk);
      CHECK(client.receive().status == 200);
    }
  }
}

TEST_CASE("the admin listener tells a client that expects it to send its body") {
  Upstream upstream;
  Proxy proxy(upstream);
  Client client = proxy.admin();
  client.send("GET /health HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  CHECK(client.receive().status == 100);
  client.send("hello");
  CHECK(client.receive().status == 200);
}

}  // namespace
}  // namespace spillway::test
