// The format of log lines, for programs and for people.

#include "proxy/telemetry/log_line.hpp"

#include <doctest/doctest.h>

namespace spillway::telemetry {
namespace {

using namespace std::chrono_literals;

const std::chrono::sys_time<std::chrono::milliseconds> kNow =
    std::chrono::sys_days{2026y / 11 / 23} + 9h + 8min + 7s + 6ms;

const AccessEntry kEntry{.request_id = "id",
                         .trace_id = "trace",
                         .client = "192.0.2.1",
                         .method = "GET",
                         .target = "/a?b",
                         .status = 503,
                         .outcome = Outcome::shed,
                         .reason = "capacity",
                         .class_name = "normal",
                         .queue = 1234567us,
                         .upstream = 0us,
                         .total = 1234605us,
                         .bytes_in = 0,
                         .bytes_out = 1234567890123,
                         .in_flight = 80,
                         .limit = 100,
                         .retries = 1};

std::string access(LineFormat format, const AccessEntry& entry = kEntry) {
  std::string line;
  append_access(line, format, kNow, entry);
  return line;
}

std::string event(LineFormat format, LogLevel level, std::string_view message) {
  std::string line;
  append_event(line, format, kNow, level, message);
  return line;
}

TEST_CASE("a request is written as one line of JSON") {
  CHECK(
      access(LineFormat::json) ==
      R"({"time":"2026-11-23T09:08:07.006Z","request_id":"id","trace_id":"trace","client":"192.0.2.1","method":"GET",)"
      R"("path":"/a?b","status":503,"outcome":"shed","reason":"capacity","class":"normal","queue_ms":1234.567,)"
      R"("upstream_ms":0.000,"total_ms":1234.605,"bytes_in":0,"bytes_out":1234567890123,"in_flight":80,"limit":100,)"
      R"("retries":1})");
}

TEST_CASE("text of a request cannot break out of its JSON string") {
  AccessEntry entry = kEntry;
  for (const auto& [said, shown] : {std::pair{"", R"("")"},
                                    {"a\"b", R"("a\"b")"},
                                    {"\\", R"("\\")"},
                                    {"\"\"", R"("\"\"")"},
                                    {"a\nb\x1f", R"("a\nb\u001f")"},
                                    {"\x7fé", R"("\u007fé")"}}) {
    entry.target = said;
    const std::string line = access(LineFormat::json, entry);
    CAPTURE(line);
    CHECK(line.find(std::string(R"("path":)") + shown + ",") != std::string::npos);
  }
}

TEST_CASE("a request is written as text, its outcome in colour on a terminal") {
  const std::string rest = " 192.0.2.1 GET /a?b 1234.6ms 80/100 capacity";
  CHECK(access(LineFormat::text) == "2026-11-23T09:08:07.006Z 503 shed" + rest);
  CHECK(access(LineFormat::coloured) == "2026-11-23T09:08:07.006Z \x1b[33m503 shed\x1b[0m" + rest);
}

TEST_CASE("an event is written as JSON and as text") {
  CHECK(event(LineFormat::json, LogLevel::warn, "a \"b\"") ==
        R"({"time":"2026-11-23T09:08:07.006Z","level":"warn","message":"a \"b\""})");
  CHECK(event(LineFormat::text, LogLevel::info, "ready") == "2026-11-23T09:08:07.006Z info ready");
  CHECK(event(LineFormat::coloured, LogLevel::error, "gone") == "2026-11-23T09:08:07.006Z \x1b[31merror\x1b[0m gone");
}

}  // namespace
}  // namespace spillway::telemetry
