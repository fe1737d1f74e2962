#include "proxy/telemetry/log_line.hpp"

#include <array>

#include <fmt/format.h>

#include "proxy/text/json.hpp"
#include "proxy/text/utc_time.hpp"

namespace spillway::telemetry {

namespace {

using std::chrono::system_clock;

/// A member's name as it stands in a line: `,"name":`
struct Key {
  std::array<char, 32> text{};
  std::size_t size = 0;
};

constexpr auto kKeys = [] {
  std::array<Key, kLogFieldNames.size()> keys;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto put = [&key = keys[i]](char c) { key.text[key.size++] = c; };
    put(',');
    put('"');
    for (const char c : kLogFieldNames[i]) put(c);
    put('"');
    put(':');
  }
  return keys;
}();

/// The chosen members of one line. The caller replaces the first comma.
class Members {
 public:
  Members(std::string& line, LogFieldSet chosen) : line_(line), chosen_(chosen) {}

  void text(LogField field, std::string_view value) {
    if (!begin(field)) return;
    line_.push_back('"');
    text::append_json_escaped(line_, value);
    line_.push_back('"');
  }
  /// Left out if empty.
  void optional(LogField field, std::string_view value) {
    if (!value.empty()) text(field, value);
  }
  /// A value that needs no escape, with its quotes if it is a text.
  void literal(LogField field, std::string_view value) {
    if (begin(field)) line_.append(value);
  }
  void number(LogField field, std::uint64_t value) {
    if (begin(field)) append(value);
  }
  /// Milliseconds with three decimals, by integers: several times faster than printing a double.
  void ms(LogField field, Duration d) {
    if (!begin(field)) return;
    const auto us = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(d).count());
    append(us / 1000);
    const auto rest = us % 1000;
    const std::array<char, 4> decimals{'.', static_cast<char>('0' + rest / 100),
                                       static_cast<char>('0' + rest / 10 % 10), static_cast<char>('0' + rest % 10)};
    line_.append(decimals.data(), decimals.size());
  }
  void time(LogField field, system_clock::time_point now) {
    if (!begin(field)) return;
    line_.push_back('"');
    text::append_utc_time(line_, now);
    line_.push_back('"');
  }

 private:
  bool begin(LogField field) {
    if ((chosen_ & bit(field)) == 0) return false;
    const Key& key = kKeys[static_cast<std::size_t>(field)];
    line_.append(key.text.data(), key.size);
    return true;
  }
  void append(std::uint64_t value) {
    const fmt::format_int digits(value);
    line_.append(digits.data(), digits.size());
  }

  std::string& line_;
  LogFieldSet chosen_;
};

/// A text for a terminal: without bytes that would control it. In UTF-8, C2 80 to C2 9F are control characters, too.
void append_visible(std::string& line, std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const unsigned next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    if (byte == 0xC2 && next >= 0x80 && next < 0xA0) {
      fmt::format_to(std::back_inserter(line), "\\x{:02x}\\x{:02x}", byte, next);
      ++i;
    } else if (byte >= 0x20 && byte != 0x7F) {
      line.push_back(text[i]);
    } else {
      fmt::format_to(std::back_inserter(line), "\\x{:02x}", byte);
    }
  }
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
    line.append(R"({"time":")");
    text::append_utc_time(line, now);
    line.append(R"(","level":")").append(name(level)).append(R"(","message":")");
    text::append_json_escaped(line, message);
    line.append("\"}");
    return;
  }
  begin_text(line, format, now, colour(level), name(level));
  line.push_back(' ');
  append_visible(line, message);
}

namespace {

void append_json(std::string& line, system_clock::time_point now, const AccessEntry& e, LogFieldSet fields) {
  const std::size_t begin = line.size();
  Members members(line, fields);
  members.time(LogField::time, now);
  members.text(LogField::level, name(level_of(e.outcome)));
  members.text(LogField::request_id, e.request_id);
  members.optional(LogField::client_request_id, e.client_request_id);
  members.text(LogField::trace_id, e.trace_id);
  members.text(LogField::client, e.client);
  members.optional(LogField::peer, e.peer);
  members.text(LogField::method, e.method);
  members.text(LogField::path, e.target);
  members.text(LogField::protocol, e.protocol);
  members.text(LogField::host, e.host);
  members.text(LogField::user_agent, e.user_agent);
  members.number(LogField::status, static_cast<std::uint64_t>(e.status));
  members.text(LogField::outcome, name(e.outcome));
  members.text(LogField::reason, e.reason);
  members.optional(LogField::would_refuse, e.would_refuse);
  members.optional(LogField::error, e.error);
  members.optional(LogField::rule, e.rule);
  if (e.stream) members.literal(LogField::stream, "true");
  members.text(LogField::class_, e.class_name);
  members.ms(LogField::queue_ms, e.queue);
  members.ms(LogField::upstream_ms, e.upstream);
  members.ms(LogField::total_ms, e.total);
  members.number(LogField::upstream_status, static_cast<std::uint64_t>(e.upstream_status));
  members.text(LogField::upstream_address, e.upstream_address);
  members.number(LogField::bytes_in, e.bytes_in);
  members.number(LogField::bytes_out, e.bytes_out);
  members.number(LogField::in_flight, static_cast<std::uint64_t>(e.in_flight));
  members.number(LogField::limit, static_cast<std::uint64_t>(e.limit));
  members.number(LogField::retries, static_cast<std::uint64_t>(e.retries));
  line.push_back('}');
  if (line[begin] == '}') line.insert(begin, 1, ',');  // none of the chosen members has a value
  line[begin] = '{';
}

void append_text(std::string& line, LineFormat format, system_clock::time_point now, const AccessEntry& e) {
  begin_text(line, format, now, colour(e.outcome), fmt::format("{} {}", e.status, name(e.outcome)));
  for (const std::string_view text : {e.client, e.method, e.target}) {
    line.push_back(' ');
    append_visible(line, text);
  }
  fmt::format_to(std::back_inserter(line), " {:.1f}ms {}/{}",
                 std::chrono::duration<double, std::milli>(e.total).count(), e.in_flight, e.limit);
  if (!e.reason.empty()) line.append(" ").append(e.reason);
  if (!e.would_refuse.empty()) line.append(" would_refuse=").append(e.would_refuse);
  for (const std::string_view why : {e.rule, e.error}) {
    if (why.empty()) continue;
    line.append(" (");
    append_visible(line, why);
    line.push_back(')');
  }
  line.append(" ").append(e.request_id);
}

}  // namespace

void append_access(std::string& line, LineFormat format, system_clock::time_point now, const AccessEntry& entry,
                   LogFieldSet fields) {
  format == LineFormat::json ? append_json(line, now, entry, fields) : append_text(line, format, now, entry);
}

}  // namespace spillway::telemetry
