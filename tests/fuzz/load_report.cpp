// A load report is accepted whole or not at all. The counts of an accepted one can be added up, and written in the
// plainest form it reads as the same report. Input: the field's value.

#include "proxy/admission/load_report.hpp"

#include <charconv>
#include <cstdint>
#include <string>

#include "tests/fuzz/require.hpp"

using namespace spillway::admission;

namespace {

std::string text_of(const LoadReport& report) {
  char utilization[64];  // the shortest text that reads back as the same number
  char* const end = std::to_chars(utilization, utilization + sizeof utilization, report.application_utilization).ptr;
  std::string text = "TEXT application_utilization=" + std::string(utilization, end);
  const auto add = [&text](const char* name, auto value) {
    text.append(",named_metrics.").append(name).append("=").append(std::to_string(value));
  };
  add("db_pool_size", report.pool_size);
  add("db_pool_overflow", report.pool_overflow);
  add("db_pool_checkedin", report.pool_checked_in);
  add("db_pool_capacity", report.pool_capacity);
  add("db_pool_waiters", report.pool_waiters);
  if (report.connection_errors) add("db_connection_errors", *report.connection_errors);
  if (report.request_used_database) add("request_db", *report.request_used_database ? 1 : 0);
  return text;
}

bool believable(std::int64_t count) {
  return count >= 0 && count <= kPoolCountMax;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view value(reinterpret_cast<const char*>(data), size);
  const auto report = parse_load_report(value);
  if (!report) return 0;
  FUZZ_REQUIRE(size <= kLoadReportMax && value.substr(0, 5) == "TEXT ");
  FUZZ_REQUIRE(report->application_utilization >= 0);
  FUZZ_REQUIRE(believable(report->pool_size) && believable(report->pool_overflow));
  FUZZ_REQUIRE(believable(report->pool_checked_in) && believable(report->pool_capacity));
  FUZZ_REQUIRE(believable(report->pool_waiters));
  FUZZ_REQUIRE(report->pool_in_use() <= report->pool_size + report->pool_overflow);
  FUZZ_REQUIRE(parse_load_report(text_of(*report)) == report);
  return 0;
}
