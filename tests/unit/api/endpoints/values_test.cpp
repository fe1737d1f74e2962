// The small pure parts: dates, eligibility, load report, health.

#include <string>

#include <doctest/doctest.h>

#include "api/endpoints/brown_out.hpp"
#include "api/endpoints/date.hpp"
#include "api/endpoints/eligibility_rules.hpp"
#include "api/endpoints/load_report.hpp"

namespace api {
namespace {

TEST_CASE("Dates: only existing days in the form YYYY-MM-DD") {
  CHECK(parse_date("1970-01-01") == 0);
  CHECK(parse_date("2024-02-29") == 19782);
  CHECK(to_text(19782) == "2024-02-29");
  CHECK(parse_date("0001-01-01") == kFirstDay);
  CHECK(parse_date("9999-12-31") == kLastDay);
  CHECK(to_text(kFirstDay) == "0001-01-01");
  CHECK(to_text(kLastDay) == "9999-12-31");
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
  const std::string pool =
      "Endpoint-Load-Metrics: TEXT application_utilization=0.42,named_metrics.db_pool_size=20,"
      "named_metrics.db_pool_overflow=5,named_metrics.db_pool_checkedin=4,named_metrics.db_pool_capacity=50,"
      "named_metrics.db_pool_waiters=3,named_metrics.db_connection_errors=7";
  std::string with, without;
  append_load_report(with, gauges(20, 5, 4), true);
  append_load_report(without, gauges(20, 5, 4), false);
  CHECK(with == pool + ",named_metrics.request_db=1\r\n");
  CHECK(without == pool + ",named_metrics.request_db=0\r\n");
}

TEST_CASE("The utilization has two decimals and is rounded") {
  struct {
    int in_use, capacity;
    const char* text;
  } const cases[] = {{0, 50, "0.00"},  {1, 3, "0.33"},   {2, 3, "0.67"},   {1, 8, "0.13"},   {1, 200, "0.01"},
                     {1, 201, "0.00"}, {7, 100, "0.07"}, {50, 50, "1.00"}, {60, 50, "1.20"}, {5, 0, "0.00"}};
  for (const auto& each : cases) {
    CAPTURE(each.in_use);
    CAPTURE(each.capacity);
    db::PoolGauges pool;
    pool.size = each.in_use;
    pool.capacity = each.capacity;
    std::string head;
    append_load_report(head, pool, false);
    CHECK(head.starts_with("Endpoint-Load-Metrics: TEXT application_utilization=" + std::string(each.text) + ","));
  }
}

TEST_CASE("The pressure has two decimals, and any other text says nothing") {
  CHECK(parse_pressure("0.00") == 0);
  CHECK(parse_pressure("0.07") == 7);
  CHECK(parse_pressure("0.80") == 80);
  CHECK(parse_pressure("0.99") == 99);
  CHECK(parse_pressure("1.00") == 100);
  for (auto text : {"",     "1",    "0.8",  "0.800", ".80",  "1.01", "9.99", "-0.9", "+0.9",       "0,90",
                    "0.9 ", " 0.9", "0.9x", "0x99",  "1e00", "nan",  "inf",  "100",  "0.90, 0.90", "\xd9\xa0.90"}) {
    CAPTURE(text);
    CHECK(parse_pressure(text) == 0);
  }
  CHECK(parse_pressure(std::string_view("0.9\0", 4)) == 0);
}

TEST_CASE("Answers are degraded from the configured pressure on, and never with 0") {
  CHECK(degrade_from(0) > 100);
  CHECK(degrade_from(0.001) == 1);
  CHECK(degrade_from(0.805) == 81);
  for (int hundredths = 1; hundredths <= 100; ++hundredths) CHECK(degrade_from(hundredths / 100.0) == hundredths);
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

}  // namespace
}  // namespace api
