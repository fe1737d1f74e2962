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
                         .protocol = "HTTP/1.1",
                         .host = "api.example",
                         .user_agent = "curl/8",
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
      R"({"time":"2026-11-23T09:08:07.006Z","level":"warn","request_id":"id","trace_id":"trace","client":"192.0.2.1",)"
      R"("method":"GET","path":"/a?b","protocol":"HTTP/1.1","host":"api.example","user_agent":"curl/8",)"
      R"("status":503,"outcome":"shed","reason":"capacity","class":"normal","queue_ms":1234.567,)"
      R"("upstream_ms":0.000,"total_ms":1234.605,"upstream_status":0,"upstream_address":"","bytes_in":0,)"
      R"("bytes_out":1234567890123,"in_flight":80,"limit":100,"retries":1})");
}

TEST_CASE("what a request has in special cases only stands in its line then") {
  AccessEntry entry = kEntry;
  entry.client_request_id = "mine";
  entry.peer = "10.0.0.1";
  entry.would_refuse = "pool";
  entry.error = "127.0.0.1:1: Connection refused (111)";
  entry.rule = "no Host";
  entry.stream = true;
  const std::string line = access(LineFormat::json, entry);
  for (const char* part :
       {R"("request_id":"id","client_request_id":"mine","trace_id")", R"(,"peer":"10.0.0.1",)",
        R"x(,"would_refuse":"pool","error":"127.0.0.1:1: Connection refused (111)","rule":"no Host",)x",
        R"(,"stream":true,)"}) {
    CHECK_MESSAGE(line.find(part) != std::string::npos, part);
  }
}

TEST_CASE("the level of a line tells whether somebody should look at it") {
  for (const auto& [outcome, level] : {std::pair{Outcome::ok, "info"},
                                       {Outcome::client_error, "info"},
                                       {Outcome::aborted, "info"},
                                       {Outcome::shed, "warn"},
                                       {Outcome::timeout, "warn"},
                                       {Outcome::upstream_error, "error"}}) {
    AccessEntry entry = kEntry;
    entry.outcome = outcome;
    CHECK(access(LineFormat::json, entry).find(std::string(R"(Z","level":")") + level + '"') != std::string::npos);
  }
}

TEST_CASE("a line has the chosen members alone") {
  const auto chosen = [](LogFieldSet fields) {
    std::string line = "before ";
    append_access(line, LineFormat::json, kNow, kEntry, fields);
    return line;
  };
  CHECK(chosen(bit(LogField::status)) == R"(before {"status":503})");
  CHECK(chosen(bit(LogField::path) | bit(LogField::client)) == R"(before {"client":"192.0.2.1","path":"/a?b"})");
  CHECK(chosen(bit(LogField::peer)) == "before {}");
  // Each name is that of its member.
  AccessEntry all = kEntry;
  all.client_request_id = all.peer = all.would_refuse = all.error = all.rule = "x";
  all.stream = true;
  for (std::size_t i = 0; i < kLogFieldNames.size(); ++i) {
    std::string line;
    append_access(line, LineFormat::json, kNow, all, LogFieldSet{1} << i);
    CHECK(line.starts_with("{\"" + std::string(kLogFieldNames[i]) + "\":"));
  }
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
  const std::string rest = " 192.0.2.1 GET /a?b 1234.6ms 80/100 capacity id";
  CHECK(access(LineFormat::text) == "2026-11-23T09:08:07.006Z 503 shed" + rest);
  CHECK(access(LineFormat::coloured) == "2026-11-23T09:08:07.006Z \x1b[33m503 shed\x1b[0m" + rest);
}

TEST_CASE("text of a request cannot break out of its line, nor control a terminal") {
  AccessEntry entry = kEntry;
  entry.method = "G\nET";
  entry.target = "/\x1b[31m\r\n2026 200 ok\xc2\x9b\x33\xc2\xa0\xc3\x9b";
  entry.rule = "a rule";
  entry.error = "an error\n";
  const std::string line = access(LineFormat::text, entry);
  CHECK(line.find("G\\x0aET /\\x1b[31m\\x0d\\x0a2026 200 ok\\xc2\\x9b\x33\xc2\xa0\xc3\x9b 1234.6ms") !=
        std::string::npos);
  CHECK(line.ends_with(R"(capacity (a rule) (an error\x0a) id)"));
  CHECK(event(LineFormat::text, LogLevel::info, "a\nb\x7f").ends_with(R"(info a\x0ab\x7f)"));
}

TEST_CASE("an event is written as JSON and as text") {
  CHECK(event(LineFormat::json, LogLevel::warn, "a \"b\"") ==
        R"({"time":"2026-11-23T09:08:07.006Z","level":"warn","message":"a \"b\""})");
  CHECK(event(LineFormat::text, LogLevel::info, "ready") == "2026-11-23T09:08:07.006Z info ready");
  CHECK(event(LineFormat::coloured, LogLevel::error, "gone") == "2026-11-23T09:08:07.006Z \x1b[31merror\x1b[0m gone");
}

}  // namespace
}  // namespace spillway::telemetry
