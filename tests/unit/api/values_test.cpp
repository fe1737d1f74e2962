// The small pure parts: dates, JSON, UTF-8, eligibility, routes, load report, statement parameters.

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

#include <doctest/doctest.h>

#include "api/db/statement.hpp"
#include "api/endpoints/date.hpp"
#include "api/endpoints/eligibility_rules.hpp"
#include "api/endpoints/load_report.hpp"
#include "api/server/routes.hpp"

namespace api {
namespace {

TEST_CASE("Dates: only existing days in the form YYYY-MM-DD") {
  CHECK(parse_date("1970-01-01") == 0);
  CHECK(parse_date("2024-02-29") == 19782);
  CHECK(to_text(19782) == "2024-02-29");
  CHECK(to_text(*parse_date("9999-12-31")) == "9999-12-31");
  CHECK(to_text(*parse_date("0001-01-01")) == "0001-01-01");
  for (auto text : {"2023-02-29", "2023-13-01", "2023-00-10", "2023-1-01", "2023-01-1", "20230101", "2023/01/01",
                    "2023-01-01 ", "+023-01-01", "", "0000-01-01", "2023-01--1"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_date(text));
  }
}

TEST_CASE("Eligibility: every unmet requirement is a reason") {
  Requirements none;
  none.deadline = 100;
  Profile profile{3.49, "history", std::nullopt, std::nullopt};
  CHECK(unmet_requirements(none, profile, {}, 100).empty());
  CHECK(unmet_requirements(none, profile, {}, 101) == std::vector<std::string>{"the deadline was 1970-04-11"});

  Requirements all;
  all.min_gpa_hundredths = 350;
  all.majors = {"Law", "Physics", "Music"};
  all.residencies = {"Ohio"};
  all.education_levels = {"graduate", "doctoral"};
  all.deadline = 0;
  profile.education_level = "undergraduate";
  CHECK(unmet_requirements(all, profile, {}, 1) ==
        std::vector<std::string>{
            "gpa 3.49 is below the minimum of 3.50", "major must be Law, Physics or Music, not history",
            "residency must be Ohio, but is not given",
            "education_level must be graduate or doctoral, not undergraduate", "the deadline was 1970-01-01"});

  profile = {3.5, "LAW", "ohio", "Doctoral"};
  CHECK(unmet_requirements(all, profile, {true, true, true}, 0).empty());
  CHECK(unmet_requirements(all, profile, {true, false, true}, 0) ==
        std::vector<std::string>{"residency must be Ohio, not ohio"});
}

TEST_CASE("Eligibility: a grade is rounded down to hundredths, without errors of binary fractions") {
  for (int hundredths = 0; hundredths <= 400; ++hundredths) {
    Requirements requirements;
    requirements.min_gpa_hundredths = hundredths;
    Profile profile;
    profile.gpa = std::stod(std::to_string(hundredths / 100) + "." + (hundredths % 100 < 10 ? "0" : "") +
                            std::to_string(hundredths % 100));
    CAPTURE(hundredths);
    CHECK(unmet_requirements(requirements, profile, {}, 0).empty());
    profile.gpa -= 0.001;
    CHECK(unmet_requirements(requirements, profile, {}, 0).size() == 1);
  }
}

TEST_CASE("Routes: every path leads to its endpoint, with its methods") {
  struct {
    Method method;
    std::string_view path;
    endpoints::Handler handler;  ///< null: no route has the path
    bool allowed;
  } const cases[] = {
      {Method::get, "/api/v1/search", endpoints::search, true},
      {Method::head, "/api/v1/search", endpoints::search, true},
      {Method::post, "/api/v1/search", endpoints::search, false},
      {Method::get, "/api/v1/scholarships", endpoints::scholarships, true},
      {Method::get, "/api/v1/scholarships/7", endpoints::scholarship, true},
      {Method::get, "/api/v1/scholarships/", nullptr, false},
      {Method::get, "/api/v1/scholarships/7/", nullptr, false},
      {Method::get, "/api/v1/scholarships/7/8", nullptr, false},
      {Method::post, "/api/v1/eligibility/check", endpoints::eligibility, true},
      {Method::post, "/api/v1/auth/login", endpoints::login, true},
      {Method::get, "/api/v1/auth/login", endpoints::login, false},
      {Method::get, "/api/v1/openapi.json", endpoints::openapi, true},
      {Method::get, "/health", endpoints::health, true},
      {Method::other, "/health", endpoints::health, false},
      {Method::get, "/ready", endpoints::ready, true},
      {Method::get, "/", nullptr, false},
      {Method::get, "/healthy", nullptr, false},
      {Method::get, "/api/v1/../v1/search", nullptr, false},
  };
  for (const auto& [method, path, handler, allowed] : cases) {
    CAPTURE(path);
    const RouteMatch match = match_route(routes(), method, path);
    const bool expected = (match.route ? match.route->handler : nullptr) == handler;
    CHECK(expected);
    CHECK(match.method_allowed == allowed);
  }
  CHECK(match_route(routes(), Method::get, "/api/v1/scholarships/7").id == "7");
}

TEST_CASE("Routes: only login, the API's description and monitoring need no token") {
  for (const Route& route : routes()) {
    CAPTURE(route.path);
    const bool monitoring = route.path == "/health" || route.path == "/ready";
    const bool open = route.path == "/api/v1/auth/login" || route.path == "/api/v1/openapi.json";
    CHECK(route.access == (monitoring ? Access::monitoring : open ? Access::open : Access::bearer));
    CHECK(allowed_methods(route) == (route.method == Method::get ? "GET, HEAD" : "POST"));
  }
}

db::PoolGauges gauges(int size, int overflow, int checked_in, bool reachable = true) {
  db::PoolGauges gauges;
  gauges.size = size;
  gauges.overflow = overflow;
  gauges.checked_in = checked_in;
  gauges.capacity = 50;
  gauges.waiters = 3;
  gauges.connection_errors = 7;
  gauges.reachable = reachable;
  return gauges;
}

TEST_CASE("The load report has the words and the order of the contract") {
  std::string head;
  append_load_report(head, gauges(20, 5, 4));
  CHECK(head ==
        "Endpoint-Load-Metrics: TEXT application_utilization=0.42,named_metrics.db_pool_size=20,"
        "named_metrics.db_pool_overflow=5,named_metrics.db_pool_checkedin=4,named_metrics.db_pool_capacity=50,"
        "named_metrics.db_pool_waiters=3,named_metrics.db_connection_errors=7\r\n");
}

TEST_CASE("Health: degraded if 80 % of the open connections are in use, or the database is unreachable") {
  std::string body;
  append_health(body, gauges(20, 0, 20));
  CHECK(body ==
        R"({"status":"healthy","pool":{"size":20,"checked_in":20,"overflow":0,"total":20,"capacity":50,"waiters":3,)"
        R"("connection_errors":7},"utilization_pct":0.0,"capacity_pct":0.0})");
  auto status = [](const db::PoolGauges& state) {
    std::string text;
    append_health(text, state);
    return text.substr(11, text.find('"', 11) - 11);
  };
  CHECK(status(gauges(20, 0, 5)) == "healthy");   // 75 %
  CHECK(status(gauges(20, 0, 4)) == "degraded");  // 80 %
  CHECK(status(gauges(20, 5, 6)) == "healthy");   // 76 %
  CHECK(status(gauges(20, 0, 20, false)) == "degraded");
}

TEST_CASE("Parameters are in PostgreSQL's binary format") {
  db::Parameters parameters;
  parameters.int8(258)
      .int4(-2)
      .text(std::string_view())
      .text(std::optional<std::string_view>())
      .date(10957)
      .text(std::string_view("abc"));
  const auto arrays = parameters.arrays();
  CHECK(parameters.count() == 6);
  CHECK(std::memcmp(arrays.values[0], "\0\0\0\0\0\0\1\2", 8) == 0);
  CHECK(std::memcmp(arrays.values[1], "\xff\xff\xff\xfe", 4) == 0);
  CHECK(arrays.values[2] != nullptr);
  CHECK(arrays.lengths[2] == 0);
  CHECK(arrays.values[3] == nullptr);
  CHECK(std::memcmp(arrays.values[4], "\0\0\0\0", 4) == 0);
  CHECK(std::string_view(arrays.values[5], 3) == "abc");
  for (int i = 0; i < 6; ++i) CHECK(arrays.formats[static_cast<std::size_t>(i)] == 1);
}

}  // namespace
}  // namespace api
