#include "proxy/admission/load_report.hpp"

#include <limits>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

namespace {

using spillway::admission::kLoadReportMax;
using spillway::admission::LoadReport;
using spillway::admission::parse_load_report;

TEST_CASE("every value of a full report is read") {
  const auto report = parse_load_report(
      "TEXT application_utilization=0.42,named_metrics.db_pool_size=20,named_metrics.db_pool_overflow=5,"
      "named_metrics.db_pool_checkedin=12,named_metrics.db_pool_capacity=50,named_metrics.db_pool_waiters=3,"
      "named_metrics.db_connection_errors=7");
  REQUIRE(report);
  CHECK(report->application_utilization == doctest::Approx(0.42));
  CHECK(report->pool_size == 20);
  CHECK(report->pool_overflow == 5);
  CHECK(report->pool_checked_in == 12);
  CHECK(report->pool_capacity == 50);
  CHECK(report->pool_waiters == 3);
  CHECK(report->connection_errors == 7);
  CHECK(report->pool_in_use() == 13);
}

TEST_CASE("a value that is not reported is zero") {
  const auto report = parse_load_report("TEXT named_metrics.db_pool_size=20");
  REQUIRE(report);
  LoadReport expected;
  expected.pool_size = 20;
  CHECK(*report == expected);
}

TEST_CASE("one wrong value discredits the whole report") {
  struct Row {
    std::string_view why;
    std::string value;
    bool believed;
  };
  const std::string size = "named_metrics.db_pool_size=";
  const std::string errors = "named_metrics.db_connection_errors=";
  const std::string use = "application_utilization=";
  const Row rows[] = {
      {"absent", "", false},
      {"one value", "TEXT " + use + "0.5", true},
      {"beyond one", "TEXT " + use + "1.75", true},
      {"zero", "TEXT " + use + "0", true},
      {"no value at all", "TEXT ", true},
      {"exponent", "TEXT " + use + "5e-1", true},
      {"spaces behind the commas", "TEXT " + use + "0.5, " + size + "1,   " + errors + "2", true},
      {"several spaces behind the format", "TEXT   " + size + "1", true},
      {"a comma at the end", "TEXT " + size + "1,", true},
      {"unknown names", "TEXT cpu_utilization=0.3,rps_fractional=12.5,eps=0", true},
      {"unknown names with values that are no numbers", "TEXT region=eu-west,flag=a=b,empty=", true},
      {"unknown named metrics", "TEXT named_metrics.gc_pauses=3," + size + "1", true},
      {"names that only begin like known ones", "TEXT named_metrics.db_pool_sizes=x,application_utilization2=x", true},
      {"the same name twice", "TEXT " + size + "1," + size + "2", true},
      {"a large count of errors", "TEXT " + errors + "18446744073709551615", true},

      {"no format", use + "0.5", false},
      {"JSON", "JSON {\"application_utilization\":0.5}", false},
      {"binary", "BIN CAE=", false},
      {"the format alone", "TEXT", false},
      {"the format in lower case", "text " + use + "0.5", false},
      {"no space behind the format", "TEXT:" + use + "0.5", false},
      {"a space before the format", " TEXT " + use + "0.5", false},
      {"no equals sign", "TEXT application_utilization", false},
      {"a pair without equals sign behind a good one", "TEXT " + size + "1,junk", false},
      {"an empty pair", "TEXT " + size + "1,," + use + "0.5", false},
      {"an empty pair first", "TEXT ," + size + "1", false},
      {"only commas", "TEXT ,", false},
      {"no name", "TEXT =1", false},
      {"only the prefix of a name", "TEXT named_metrics.=1", false},
      {"no number", "TEXT " + size, false},
      {"a word", "TEXT " + size + "many", false},
      {"a negative count", "TEXT " + size + "-1", false},
      {"a fraction of a connection", "TEXT " + size + "1.5", false},
      {"a count with an exponent", "TEXT " + size + "1e1", false},
      {"a plus sign", "TEXT " + size + "+1", false},
      {"hexadecimal", "TEXT " + size + "0x14", false},
      {"something behind the number", "TEXT " + size + "20connections", false},
      {"a space behind the number", "TEXT " + size + "20 ", false},
      {"a space before the number", "TEXT " + size + " 20", false},
      {"a count beyond 64 bits", "TEXT " + size + "9223372036854775808", false},
      {"more connections than there can be", "TEXT " + size + "9223372036854775807", false},
      {"negative errors", "TEXT " + errors + "-1", false},
      {"errors beyond 64 bits", "TEXT " + errors + "18446744073709551616", false},
      {"negative utilisation", "TEXT " + use + "-0.1", false},
      {"no number in particular", "TEXT " + use + "nan", false},
      {"infinity", "TEXT " + use + "inf", false},
      {"negative infinity", "TEXT " + use + "-inf", false},
      {"beyond a double", "TEXT " + use + "1e999", false},
      {"two points", "TEXT " + use + "0.4.2", false},
      {"a comma for a point", "TEXT " + use + "0,42", false},
      {"a good value, then a bad one", "TEXT " + use + "0.5," + size + "-1", false},
      {"a bad value, then a good one", "TEXT " + size + "-1," + size + "1", false},
      {"NUL in a number", std::string("TEXT ") + size + std::string("2\0", 2), false},
  };
  static_assert(std::size(rows) >= 25);
  for (const Row& row : rows) {
    INFO(row.why, ": ", row.value);
    CHECK(parse_load_report(row.value).has_value() == row.believed);
  }
}

TEST_CASE("if a name comes twice, the last value counts") {
  CHECK(parse_load_report("TEXT named_metrics.db_pool_size=1,named_metrics.db_pool_size=2")->pool_size == 2);
}

TEST_CASE("a report beyond the longest length is ignored") {
  std::string value = "TEXT named_metrics.db_pool_size=3,x=";
  value.resize(kLoadReportMax, '1');
  REQUIRE(parse_load_report(value));
  CHECK(parse_load_report(value)->pool_size == 3);
  value += '1';
  CHECK_FALSE(parse_load_report(value));
}

TEST_CASE("the largest accepted counts can be added without overflow") {
  constexpr int kMost = 1'000'000'000;
  const std::string most = std::to_string(kMost);
  const auto report =
      parse_load_report("TEXT named_metrics.db_pool_size=" + most + ",named_metrics.db_pool_overflow=" + most);
  REQUIRE(report);
  CHECK(report->pool_in_use() == 2LL * kMost);
  CHECK_FALSE(parse_load_report("TEXT named_metrics.db_pool_checkedin=" + std::to_string(kMost + 1)));
}

TEST_CASE("a report may say whether its request used the database") {
  const std::string text = "TEXT named_metrics.db_pool_size=1";
  CHECK(parse_load_report(text)->request_used_database == std::nullopt);
  CHECK(parse_load_report(text + ",named_metrics.request_db=1")->request_used_database == true);
  CHECK(parse_load_report(text + ",named_metrics.request_db=0")->request_used_database == false);
  CHECK_FALSE(parse_load_report(text + ",named_metrics.request_db=2"));
  CHECK_FALSE(parse_load_report(text + ",named_metrics.request_db="));
}

}  // namespace
