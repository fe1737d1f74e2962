// The API's own admin listener.

#include <csignal>

#include <doctest/doctest.h>

#include "tests/integration/api/client.hpp"
#include "tests/integration/api/database.hpp"
#include "tests/integration/api/program.hpp"

namespace api::test {
namespace {

/// The value of a series, by its name and labels as they are written. -1: it is not there.
double value(const std::string& page, const std::string& series) {
  const std::size_t at = page.find("\n" + series + " ");
  return at == std::string::npos ? -1 : std::stod(page.substr(at + series.size() + 2));
}

TEST_CASE("The admin listener counts requests by endpoint, logins by outcome, and what the pool does") {
  const Folder folder;
  const std::string admin = folder.path("admin.sock");
  Program api("database: {url: \"" + Database::shared().url() +
              "\", pool_size: 2, max_overflow: 0}\nlisten: 127.0.0.1:0\nadmin: {listen: \"unix:" + admin +
              "\"}\nauth: {secret: for-tests-only-for-tests-only-0123456789, max_failures: 2}\n");
  api.await_ready();
  const auto scrape = [&] {
    const Reply reply = Client(admin).request("GET", "/metrics");
    CHECK(reply.status == 200);
    CHECK(reply.header("content-type") == "text/plain; version=0.0.4; charset=utf-8");
    return "\n" + reply.body;
  };
  const std::string before = scrape();
  for (const char* series :
       {R"(scholarship_api_requests_total{endpoint="search",code="5xx"})",
        R"(scholarship_api_logins_total{outcome="busy"})",
        R"(scholarship_api_request_duration_seconds_count{endpoint="login"})",
        R"(scholarship_api_pool_failures_total{cause="timeout"})", "scholarship_api_pool_recycles_total"}) {
    CAPTURE(series);
    CHECK(value(before, series) == 0);
  }
  CHECK(value(before, "database_pool_size") == 2);
  CHECK(value(before, "scholarship_api_database_reachable") == 1);
  const double opened = value(before, "scholarship_api_pool_opens_total");
  CHECK(opened >= 1);

  Client client(api.port());
  client.login();
  for (int i = 0; i < 2; ++i) {
    CHECK(client.request("POST", "/api/v1/auth/login", "username=admin&password=wrong").status == 401);
  }
  CHECK(client.request("POST", "/api/v1/auth/login", "username=admin&password=wrong").status == 429);
  for (int i = 0; i < 3; ++i) CHECK(client.request("GET", "/api/v1/scholarships/1").status == 200);
  CHECK(client.request("GET", "/api/v1/scholarships/x").status == 400);
  CHECK(client.request("GET", "/nothing").status == 404);
  const std::string after = scrape();
  CAPTURE(after);
  CHECK(value(after, R"(scholarship_api_logins_total{outcome="ok"})") == 1);
  CHECK(value(after, R"(scholarship_api_logins_total{outcome="wrong"})") == 2);
  CHECK(value(after, R"(scholarship_api_logins_total{outcome="limited"})") == 1);
  CHECK(value(after, R"(scholarship_api_requests_total{endpoint="login",code="4xx"})") == 3);
  CHECK(value(after, R"(scholarship_api_requests_total{endpoint="scholarship",code="2xx"})") == 3);
  CHECK(value(after, R"(scholarship_api_requests_total{endpoint="scholarship",code="4xx"})") == 1);
  CHECK(value(after, R"(scholarship_api_requests_total{endpoint="other",code="4xx"})") == 1);
  CHECK(value(after, R"(scholarship_api_request_duration_seconds_count{endpoint="scholarship"})") == 4);
  CHECK(value(after, R"(scholarship_api_request_duration_seconds_bucket{endpoint="scholarship",le="+Inf"})") == 4);
  CHECK(value(after, "scholarship_api_pool_wait_seconds_count") >
        value(before, "scholarship_api_pool_wait_seconds_count") + 5);

  // The admin listener has nothing of the API, and is served when the API is full.
  CHECK(Client(admin).request("GET", "/health").status == 200);
  CHECK(Client(admin).request("GET", "/ready").status == 200);
  CHECK(Client(admin).request("GET", "/api/v1/scholarships").status == 404);
  CHECK(client.request("GET", "/metrics").status == 404);
  CHECK(api.stop() == 0);
}

TEST_CASE("The admin listener tells whether a reload was refused or waits for a restart") {
  const Folder folder;
  const std::string admin = folder.path("admin.sock");
  const auto config = [&](const std::string& more) {
    return "database: {url: \"" + Database::shared().url() + "\"}\nadmin: {listen: \"unix:" + admin +
           "\"}\nauth: {secret: for-tests-only-for-tests-only-0123456789}\nlisten: 127.0.0.1:0\n" + more;
  };
  Program api(config(""));
  api.await_ready();
  const auto now = [&](const std::string& name) {
    return value("\n" + Client(admin).request("GET", "/metrics").body, "scholarship_api_config_" + name);
  };
  CHECK(now("last_reload_successful") == 1);
  CHECK(now("restart_pending") == 0);
  const double started = now("last_reload_timestamp_seconds");
  CHECK(started >= 1.7e9);

  api.rewrite_config(config("degrade_at: often\n"));
  api.signal(SIGHUP);
  CHECK(eventually([&] { return now("last_reload_successful") == 0; }));
  CHECK(now("last_reload_timestamp_seconds") == started);

  api.rewrite_config(config("workers: 2\n"));
  api.signal(SIGHUP);
  CHECK(eventually([&] { return now("last_reload_successful") == 1; }));
  CHECK(now("restart_pending") == 1);
  CHECK(now("last_reload_timestamp_seconds") >= started);

  api.rewrite_config(config(""));
  api.signal(SIGHUP);
  CHECK(eventually([&] { return now("restart_pending") == 0; }));
}

TEST_CASE("A second process at the admin address is an error at the start") {
  const Folder folder;
  const std::string config = "database: {url: \"" + Database::shared().url() +
                             "\"}\nlisten: 127.0.0.1:0\nadmin: {listen: \"unix:" + folder.path("admin.sock") + "\"}\n";
  Program first(config);
  Program second(Start{config, {}, {}, {}});
  CHECK(second.wait() == 1);
  CAPTURE(second.log());
  CHECK(second.log().find("admin.listen: ") != std::string::npos);
  Program odd(Start{"database: {url: x}\nadmin: {listen: nowhere}\n", {"--check-config"}, {}, {}});
  CHECK(odd.wait() == 1);
  CHECK(odd.log().find("an address such as 127.0.0.1:9902") != std::string::npos);
}

}  // namespace
}  // namespace api::test
