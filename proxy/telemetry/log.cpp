#include "proxy/telemetry/log.hpp"

#include <array>
#include <cstdlib>

#include <fmt/format.h>
#include <spdlog/async.h>
#include <unistd.h>

#include "proxy/telemetry/line_sink.hpp"

namespace spillway::telemetry {

namespace {

using Line = fmt::basic_memory_buffer<char, 1024>;

void append(Line& line, std::string_view text) {
  line.append(text.data(), text.data() + text.size());
}

void append_json(Line& line, std::string_view text) {
  line.push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      line.push_back('\\');
      line.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(line), "\\u{:04x}", static_cast<int>(c));
    } else {
      line.push_back(c);
    }
  }
  line.push_back('"');
}

void append_field(Line& line, std::string_view name, std::string_view value) {
  fmt::format_to(std::back_inserter(line), ",\"{}\":", name);
  append_json(line, value);
}

/// UTC with milliseconds; the part down to the second is kept per thread.
void append_time(Line& line) {
  using namespace std::chrono;
  thread_local sys_seconds known{};
  thread_local std::array<char, 24> text{};
  const auto now = system_clock::now();
  const auto second = floor<seconds>(now);
  if (second != known) {
    known = second;
    const std::time_t time = system_clock::to_time_t(second);
    std::tm parts{};
    gmtime_r(&time, &parts);
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  }
  append(line, text.data());
  fmt::format_to(std::back_inserter(line), ".{:03}Z", duration_cast<milliseconds>(now - second).count());
}

void append_number(Line& line, std::string_view name, std::uint64_t value) {
  fmt::format_to(std::back_inserter(line), ",\"{}\":{}", name, value);
}

/// Milliseconds to the microsecond, in integers: several times as fast as printing a double.
void append_ms(Line& line, std::string_view name, Duration d) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(d).count();
  fmt::format_to(std::back_inserter(line), ",\"{}\":{}.{:03}", name, us / 1000, us % 1000);
}

double ms(Duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

std::string_view level_name(LogLevel level) {
  constexpr std::array<std::string_view, 4> kNames{"debug", "info", "warn", "error"};
  return kNames[static_cast<std::size_t>(level)];
}

// Select Graphic Rendition (ECMA-48, 8.3.117).
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

void append_coloured(Line& line, bool on, std::string_view which, std::string_view text) {
  if (on) append(line, which);
  append(line, text);
  if (on) append(line, kPlain);
}

constexpr spdlog::level::level_enum kRequest = spdlog::level::debug;
constexpr spdlog::level::level_enum kEvent = spdlog::level::info;
}  // namespace

Log::Log(const LogConfig& config) : access_(config.access), level_(config.level), query_(config.query) {
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  json_ = config.format == LogFormat::json || (config.format == LogFormat::automatic && !terminal);
  coloured_ = !json_ && terminal && std::getenv("NO_COLOR") == nullptr;  // NOLINT(concurrency-mt-unsafe)
  pool_ = std::make_shared<spdlog::details::thread_pool>(kQueueLines, 1);
  sink_ = std::make_shared<LineSink>(STDOUT_FILENO);
  logger_ =
      std::make_shared<spdlog::async_logger>("spillway", sink_, pool_, spdlog::async_overflow_policy::overrun_oldest);
  logger_->set_level(spdlog::level::trace);
  // Events are seen at once; so is all on a terminal. Else requests wait for each other: a write for many.
  logger_->flush_on(terminal ? kRequest : kEvent);
}

Log::~Log() {
  sink_->close();
  logger_->flush();
}

void Log::configure(const LogConfig& config) {
  access_ = config.access;
  level_ = config.level;
  query_ = config.query;
}

void Log::event(LogLevel level, std::string_view message) {
  if (level < level_.load(std::memory_order_relaxed)) return;
  Line line;
  if (json_) {
    append(line, "{\"time\":\"");
    append_time(line);
    append(line, "\"");
    append_field(line, "level", level_name(level));
    append_field(line, "message", message);
    append(line, "}");
  } else {
    append_time(line);
    line.push_back(' ');
    append_coloured(line, coloured_, colour(level), level_name(level));
    line.push_back(' ');
    append(line, message);
  }
  logger_->log(kEvent, std::string_view(line.data(), line.size()));
}

void Log::access(const AccessEntry& e) {
  std::string_view target = e.target;
  if (!query_.load(std::memory_order_relaxed)) target = target.substr(0, target.find('?'));
  Line line;
  if (json_) {
    append(line, "{\"time\":\"");
    append_time(line);
    append(line, "\"");
    append_field(line, "request_id", e.request_id);
    append_field(line, "trace_id", e.trace_id);
    append_field(line, "client", e.client);
    append_field(line, "method", e.method);
    append_field(line, "path", target);
    append_number(line, "status", static_cast<std::uint64_t>(e.status));
    append_field(line, "outcome", name(e.outcome));
    append_field(line, "reason", e.reason);
    append_field(line, "class", e.class_name);
    append_ms(line, "queue_ms", e.queue);
    append_ms(line, "upstream_ms", e.upstream);
    append_ms(line, "total_ms", e.total);
    append_number(line, "bytes_in", e.bytes_in);
    append_number(line, "bytes_out", e.bytes_out);
    append_number(line, "in_flight", static_cast<std::uint64_t>(e.in_flight));
    append_number(line, "limit", static_cast<std::uint64_t>(e.limit));
    append_number(line, "retries", static_cast<std::uint64_t>(e.retries));
    line.push_back('}');
  } else {
    append_time(line);
    line.push_back(' ');
    append_coloured(line, coloured_, colour(e.outcome), fmt::format("{} {}", e.status, name(e.outcome)));
    fmt::format_to(std::back_inserter(line), " {} {} {} {:.1f}ms {}/{}{}{}", e.client, e.method, target, ms(e.total),
                   e.in_flight, e.limit, e.reason.empty() ? "" : " ", e.reason);
  }
  logger_->log(kRequest, std::string_view(line.data(), line.size()));
}

void Log::tick() {
  // Not behind a full queue: it would push a line out.
  if (sink_->pending() && pool_->queue_size() == 0) logger_->flush();
}

std::uint64_t Log::dropped() const {
  return pool_->overrun_counter() + sink_->lost();
}

}  // namespace spillway::telemetry
