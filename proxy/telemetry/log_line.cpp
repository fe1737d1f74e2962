#include "proxy/telemetry/log_line.hpp"

#include <array>

#include <fmt/format.h>

#include "proxy/text/json.hpp"
#include "proxy/text/utc_time.hpp"

namespace spillway::telemetry {

namespace {

using std::chrono::system_clock;

void append_number(std::string& line, std::string_view key, std::uint64_t value) {
  const fmt::format_int digits(value);
  line.append(key).append(digits.data(), digits.size());
}

void append_thousandths(std::string& line, std::uint64_t value) {
  const std::array<char, 3> digits{static_cast<char>('0' + value / 100), static_cast<char>('0' + value / 10 % 10),
                                   static_cast<char>('0' + value % 10)};
  line.append(digits.data(), digits.size());
}

/// Milliseconds with three decimals, by integers: several times faster than printing a double.
void append_ms(std::string& line, std::string_view key, Duration d) {
  const auto us = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(d).count());
  append_number(line, key, us / 1000);
  line.push_back('.');
  append_thousandths(line, us % 1000);
}

void append_text(std::string& line, std::string_view key, std::string_view text) {
  line.append(key).push_back('"');
  text::append_json_escaped(line, text);
  line.push_back('"');
}

void begin_json(std::string& line, system_clock::time_point now) {
  line.append(R"({"time":")");
  text::append_utc_time(line, now);
  line.push_back('"');
}

constexpr std::string_view kPlain = "\x1b[0m", kGrey = "\x1b[90m", kRed = "\x1b[31m", kGreen = "\x1b[32m",
                           kYellow = "\x1b[33m";

std::string_view colour(LogLevel level) {
  constexpr std::array<std::string_view, 4> kColours{kGrey, kGreen, kYellow, kRed};
  return kColours[static_cast<std::size_t>(level)];
}

std::string_view colour(Outcome outcome) {
  switch (outcome) {
    case Outcome::ok:
      return kGreen;
    case Outcome::client_error:
    case Outcome::shed:
      return kYellow;
    case Outcome::upstream_error:
    case Outcome::timeout:
      return kRed;
    case Outcome::aborted:
      break;
  }
  return kGrey;
}

/// Writes the time, then `text` in the colour `which`.
void begin_text(std::string& line, LineFormat format, system_clock::time_point now, std::string_view which,
                std::string_view text) {
  text::append_utc_time(line, now);
  line.push_back(' ');
  if (format == LineFormat::coloured) {
    line.append(which).append(text).append(kPlain);
  } else {
    line.append(text);
  }
}

}  // namespace

void append_event(std::string& line, LineFormat format, system_clock::time_point now, LogLevel level,
                  std::string_view message) {
  if (format == LineFormat::json) {
    begin_json(line, now);
    append_text(line, R"(,"level":)", name(level));
    append_text(line, R"(,"message":)", message);
    line.push_back('}');
    return;
  }
  begin_text(line, format, now, colour(level), name(level));
  line.append(" ").append(message);
}

void append_access(std::string& line, LineFormat format, system_clock::time_point now, const AccessEntry& e) {
  if (format == LineFormat::json) {
    begin_json(line, now);
    append_text(line, R"(,"request_id":)", e.request_id);
    append_text(line, R"(,"trace_id":)", e.trace_id);
    append_text(line, R"(,"client":)", e.client);
    append_text(line, R"(,"method":)", e.method);
    append_text(line, R"(,"path":)", e.target);
    append_number(line, R"(,"status":)", static_cast<std::uint64_t>(e.status));
    append_text(line, R"(,"outcome":)", name(e.outcome));
    append_text(line, R"(,"reason":)", e.reason);
    append_text(line, R"(,"class":)", e.class_name);
    append_ms(line, R"(,"queue_ms":)", e.queue);
    append_ms(line, R"(,"upstream_ms":)", e.upstream);
    append_ms(line, R"(,"total_ms":)", e.total);
    append_number(line, R"(,"bytes_in":)", e.bytes_in);
    append_number(line, R"(,"bytes_out":)", e.bytes_out);
    append_number(line, R"(,"in_flight":)", static_cast<std::uint64_t>(e.in_flight));
    append_number(line, R"(,"limit":)", static_cast<std::uint64_t>(e.limit));
    append_number(line, R"(,"retries":)", static_cast<std::uint64_t>(e.retries));
    line.push_back('}');
    return;
  }
  begin_text(line, format, now, colour(e.outcome), fmt::format("{} {}", e.status, name(e.outcome)));
  fmt::format_to(std::back_inserter(line), " {} {} {} {:.1f}ms {}/{}{}{}", e.client, e.method, e.target,
                 std::chrono::duration<double, std::milli>(e.total).count(), e.in_flight, e.limit,
                 e.reason.empty() ? "" : " ", e.reason);
}

}  // namespace spillway::telemetry
