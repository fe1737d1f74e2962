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

}  // namespace
}  // namespace spillway::test
