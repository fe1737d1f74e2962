// What the log says of requests, and that writing it never delays one.

#include <csignal>
#include <sstream>

#include <doctest/doctest.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"

namespace spillway::test {
namespace {

std::vector<std::string> lines_with(const Proxy& proxy, const std::string& text) {
  std::vector<std::string> found;
  std::istringstream lines(proxy.log());
  for (std::string line; std::getline(lines, line);) {
    if (line.find(text) != std::string::npos) found.push_back(line);
  }
  return found;
}

TEST_CASE("a request is one JSON line with all its facts except the query") {
  Upstream upstream([](Turn& turn) { turn.answer("four"); });
  Proxy proxy(upstream, {.more = "trusted_proxies: [127.0.0.0/8]\nlog: {format: json}\n"});
  CHECK(Client(proxy).request("POST", "/path?secret=1", "X-Request-ID: the-id\r\n", "body").status == 200);
  REQUIRE(proxy.await_log("the-id"));
  const std::string line = lines_with(proxy, "the-id").front();
  CAPTURE(line);
  for (const char* part :
       {R"({"time":"20)", R"("request_id":"the-id")", R"("trace_id":")", R"("client":"127.0.0.1")",
        R"("method":"POST")", R"("path":"/path",)", R"("status":200)", R"("outcome":"ok")", R"("reason":"")",
        R"("class":"normal")", R"("queue_ms":0.000)", R"("upstream_ms":)", R"("total_ms":)", R"("bytes_in":4)",
        R"("bytes_out":4)", R"("in_flight":1)", R"("limit":100)", R"("retries":0})"}) {
    CHECK_MESSAGE(line.find(part) != std::string::npos, part);
  }
}

TEST_CASE("a reload can log the query, or errors only") {
  Upstream upstream;
  Settings settings{.more = "log: {format: json, query: true}\n"};
  Proxy proxy(upstream, settings);
  CHECK(Client(proxy).get("/a?b=c").status == 200);
  CHECK(proxy.await_log(R"("path":"/a?b=c")"));
  settings.more = "log: {format: json, access: errors}\n";
  settings.limits = "body: 3";
  proxy.configure(settings);
  proxy.signal(SIGHUP);
  REQUIRE(proxy.await_log("configuration reloaded"));
  CHECK(Client(proxy).get("/fine").status == 200);
  CHECK(Client(proxy).request("POST", "/large", {}, "too large").status == 413);
  CHECK(proxy.await_log("/large"));
  CHECK(lines_with(proxy, "/fine").empty());
}

TEST_CASE("the text format has colours on a terminal only") {
  Upstream upstream;
  Proxy proxy(upstream, {.more = "log: {format: text}\n"});
  CHECK(Client(proxy).get("/text").status == 200);
  REQUIRE(proxy.await_log("/text"));
  const std::string line = lines_with(proxy, "/text").front();
  CHECK(line.find("200 ok 127.0.0.1 GET /text") != std::string::npos);
  CHECK(line.find("1/100") != std::string::npos);
  CHECK(proxy.log().find('\x1b') == std::string::npos);
}

TEST_CASE("the log of the start names the listeners and the limits") {
  Upstream upstream;
  Proxy proxy(upstream, {.admission = "max_concurrent: 50, shed_at: 0.5",
                         .more = "classes: [{name: vip, shed_at: 1, match: [{path: /vip}]}]\n"});
  CHECK(proxy.log().find("listening on 127.0.0.1:" + std::to_string(proxy.port())) != std::string::npos);
  CHECK(proxy.log().find("admin on 127.0.0.1:") != std::string::npos);
  CHECK(proxy.log().find("admitting 50, shedding normal at 25, shedding vip at 50") != std::string::npos);
}

TEST_CASE("the first hundred refusals of a second are logged, and the number of the others") {
  constexpr int kRequests = 1000;
  Upstream upstream;
  Proxy proxy(upstream, {.admission = "shed_at: 0"});
  Client client(proxy);
  for (int i = 0; i < kRequests; ++i) REQUIRE(client.get("/refused").status == 503);
  int logged = 0, left_out = 0;
  const bool all = eventually([&] {
    logged = static_cast<int>(lines_with(proxy, R"("path":"/refused")").size());
    left_out = 0;
    const std::string before = R"("message":")";
    for (const std::string& line : lines_with(proxy, "further refusals for capacity")) {
      left_out += std::stoi(line.substr(line.find(before) + before.size()));
    }
    return logged + left_out == kRequests;
  });
  CHECK(all);
  CHECK(logged >= 100);
  MESSAGE(logged, " logged, ", left_out, " left out");
}

TEST_CASE("a stalled reader of the log loses lines, which are counted, and fails no request") {
  constexpr int kRequests = 15'000;  // pipe, sink and queue together hold about 10,000
  Upstream upstream;
  Proxy proxy(upstream);
  const double before = proxy.metric("spillway_log_lines_dropped_total");
  CHECK(before == 0);
  proxy.pause_log();
  Client client(proxy);
  for (int i = 0; i < kRequests; ++i) REQUIRE(client.get("/stalled").status == 200);
  CHECK(eventually([&] { return proxy.metric("spillway_log_lines_dropped_total") > 0; }));
  proxy.resume_log();
  CHECK(eventually([&] {
    const auto seen = static_cast<double>(lines_with(proxy, "/stalled").size());
    return seen + proxy.metric("spillway_log_lines_dropped_total") == kRequests;
  }));
  CHECK(client.get("/after").status == 200);
  CHECK(proxy.await_log("/after"));
}

TEST_CASE("a stalled reader of the log does not keep the proxy from stopping") {
  Upstream upstream;
  Proxy proxy(upstream);
  proxy.pause_log();
  Client client(proxy);
  for (int i = 0; i < 1000; ++i) REQUIRE(client.get("/stalled").status == 200);
  client.close();
  CHECK(proxy.stop() == 0);
  proxy.resume_log();
}

}  // namespace
}  // namespace spillway::test
