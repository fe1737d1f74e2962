// What the API tells the proxy about its load, and what it does when the proxy tells of pressure.

#include <csignal>
#include <set>

#include <doctest/doctest.h>

#include "tests/integration/api/client.hpp"
#include "tests/integration/api/database.hpp"
#include "tests/integration/api/program.hpp"

namespace api::test {
namespace {

namespace json = boost::json;

std::string database() {
  return "database: {url: \"" + Database::shared().url() + "\"}\n";
}

TEST_CASE("Every response carries the load report, and health shows the same numbers") {
  Program api(database());
  api.await_ready();
  Client client(api.port());
  const std::string report =
      "TEXT application_utilization=0.00,named_metrics.db_pool_size=20,named_metrics.db_pool_overflow=0,"
      "named_metrics.db_pool_checkedin=20,named_metrics.db_pool_capacity=50,named_metrics.db_pool_waiters=0,"
      "named_metrics.db_connection_errors=0,named_metrics.request_db=0";
  for (auto target : {"/health", "/ready", "/nothing", "/api/v1/search?q=a"}) {
    CHECK(client.request("GET", target).headers.at("endpoint-load-metrics") == report);
  }
  const Reply health = client.request("GET", "/health");
  CHECK(health.status == 200);
  CHECK(health.body ==
        R"({"status":"healthy","pool":{"size":20,"checked_in":20,"overflow":0,"total":20,"capacity":50,"waiters":0,)"
        R"("connection_errors":0},"utilization_pct":0.0,"capacity_pct":0.0})");
}

TEST_CASE("The load report says whether the request needed the database") {
  Program api("database: {url: \"" + Database::shared().url() +
              "\", pool_size: 1, max_overflow: 0, pool_timeout: 200ms}\n");
  api.await_ready();
  Client client(api.port());
  const auto needed = [&](std::string_view method, std::string_view target, int status, std::string_view body = {}) {
    const Reply reply = client.request(method, target, body);
    CAPTURE(target);
    CHECK(reply.status == status);
    const std::string report = reply.header("endpoint-load-metrics");
    const std::size_t at = report.find(",named_metrics.request_db=");
    REQUIRE(at != std::string::npos);
    return report.substr(at + 26) == "1";
  };
  CHECK_FALSE(needed("GET", "/health", 200));
  CHECK_FALSE(needed("GET", "/ready", 200));
  CHECK_FALSE(needed("GET", "/api/v1/openapi.json", 200));
  CHECK_FALSE(needed("GET", "/nothing", 404));
  CHECK_FALSE(needed("DELETE", "/api/v1/scholarships/1", 405));
  CHECK_FALSE(needed("GET", "/api/v1/scholarships/1", 401));
  CHECK_FALSE(needed("POST", "/api/v1/auth/login", 422, "{}"));
  CHECK(needed("POST", "/api/v1/auth/login", 401, "username=nobody&password=x"));
  CHECK(needed("POST", "/api/v1/auth/login", 200, "username=admin&password=admin123"));
  client.login();
  CHECK(needed("GET", "/api/v1/scholarships/1", 200));
  CHECK(needed("HEAD", "/api/v1/scholarships/1", 200));
  CHECK(needed("GET", "/api/v1/search?q=nursing", 200));
  CHECK(needed("GET", "/api/v1/scholarships", 200));
  CHECK(needed("GET", "/api/v1/scholarships/999999999", 404));
  CHECK_FALSE(needed("GET", "/health", 200));  // what the request before it needed is forgotten
  {
    // One request holds the only connection: another one is refused, but needed the database all the same.
    TableLock lock;
    Client holder(api.port());
    holder.use_token(client.token());
    holder.start("GET", "/api/v1/scholarships/1");
    CHECK(eventually([&] { return client.request("GET", "/health").json().at("pool").at("checked_in") == 0; }));
    CHECK(needed("GET", "/api/v1/scholarships/2", 503));
    CHECK_FALSE(needed("GET", "/api/v1/openapi.json", 200));
  }
}

TEST_CASE("From pressure 0.80 on, lists and searches are cheaper and say so; below, nothing changes") {
  Program api(database());
  Client client(api.port());
  client.login();
  const auto get = [&](const std::string& target, const std::string& pressure = {}) {
    const Reply reply = client.request("GET", "/api/v1/" + target, {},
                                       pressure.empty() ? "" : "Spillway-Pressure: " + pressure + "\r\n");
    CAPTURE(target);
    CHECK(reply.status == 200);
    return reply;
  };
  const json::array best = get("search?q=nursing&limit=100").json().at("items").as_array();
  const std::string third(get("search?q=nursing&limit=3").json().at("next_cursor").as_string());
  const json::array all = get("scholarships?limit=100").json().at("items").as_array();
  REQUIRE(best.size() > 10);
  const auto first = [](const json::array& items, std::size_t count) {
    return json::array(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(count));
  };

  for (const char* target :
       {"search?q=nursing", "search?q=nursing&limit=100", "scholarships", "scholarships?limit=100", "scholarships/1"}) {
    const std::string full = get(target).body;
    for (const char* calm : {"0.00", "0.79", "0.8", "1", "1.01", "0.90, 0.90", "-0.90", "high"}) {
      CAPTURE(calm);
      CHECK(get(target, calm).body == full);
    }
  }
  for (const char* pressure : {"0.80", "0.99", "1.00"}) {
    CAPTURE(pressure);
    for (const char* target : {"search?q=nursing", "search?q=nursing&limit=100"}) {
      const Reply reply = get(target, pressure);
      const json::value page = reply.json();
      CHECK(page.as_object().size() == 3);
      CHECK(page.at("items") == first(best, 10));
      CHECK(page.at("degraded") == true);
      // The next page goes on where this one ends.
      const std::string cursor(page.at("next_cursor").as_string());
      const json::array next = get("search?q=nursing&limit=100&cursor=" + cursor).json().at("items").as_array();
      CHECK(next[0] == best[10]);
      CHECK(reply.header("cache-control") == "no-store");
    }
    CHECK(get("search?q=nursing&limit=3", pressure).json() ==
          json::value{{"items", first(best, 3)}, {"next_cursor", third}, {"degraded", true}});
    CHECK(get("search?q=zzzzzz", pressure).json() ==
          json::value{{"items", json::array()}, {"next_cursor", nullptr}, {"degraded", true}});
    for (const char* target : {"scholarships", "scholarships?limit=100"}) {
      const Reply reply = get(target, pressure);
      const std::string last = std::to_string(all[9].at("id").as_int64());
      CHECK(reply.json() == json::value{{"items", first(all, 10)}, {"next_cursor", last}, {"degraded", true}});
      CHECK(reply.header("cache-control") == "no-store");
      // The next page goes on where this one ends.
      const json::array next = get("scholarships?limit=100&cursor=" + last).json().at("items").as_array();
      CHECK(next[0] == all[10]);
    }
    CHECK(get("scholarships/1", pressure).body == get("scholarships/1").body);
    const json::value last_page = get("scholarships?cursor=999999999", pressure).json();
    CHECK(last_page == json::value{{"items", json::array()}, {"next_cursor", nullptr}, {"degraded", true}});
  }

  // Words that very many match: the best of the first of them, at the price of few.
  const json::array found = get("search?q=students", "0.80").json().at("items").as_array();
  CHECK(found.size() == 10);
  CHECK(found == get("search?q=students", "0.90").json().at("items").as_array());
}

TEST_CASE("Where cheaper answers begin is a key that a reload changes") {
  Program api(database() + "degrade_at: 0\nlog: {access: all}\n");
  Client client(api.port());
  client.login();
  const auto degraded = [&](const char* pressure) {
    const std::string field = std::string("Spillway-Pressure: ") + pressure + "\r\n";
    return client.request("GET", "/api/v1/search?q=nursing", {}, field).json().as_object().contains("degraded");
  };
  CHECK_FALSE(degraded("1.00"));
  api.rewrite_config(database() + "degrade_at: 0.57\nlog: {access: all}\n");
  api.signal(SIGHUP);
  REQUIRE(api.await_log("reloaded"));
  CHECK_FALSE(degraded("0.56"));
  CHECK(degraded("0.57"));
  CHECK(api.await_log(R"("status":200,"outcome":"ok","reason":"degraded")"));
}

}  // namespace
}  // namespace api::test
