#include "proxy/telemetry/log.hpp"

#include <array>

#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

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

double ms(Duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string_view level_name(LogLevel level) {
  constexpr std::array<std::string_view, 4> kNames{"debug", "info", "warning", "error"};
  return kNames[static_cast<std::size_t>(level)];
}

}  // namespace

Log::Log(const LogConfig& config) : access_(config.access), level_(config.level), query_(config.query) {
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  json_ = config.format == LogFormat::json || (config.format == LogFormat::automatic && !terminal);
  pool_ = std::make_shared<spdlog::details::thread_pool>(kQueueLines, 1);
  std::shared_ptr<spdlog::sinks::sink> sink;
  if (json_) {
    sink = std::make_shared<spdlog::sinks::stdout_sink_mt>();
  } else {
    sink = std::make_shared<spdlog::sinks::stdout_color_sink_mt>();
  }
  logger_ = std::make_shared<spdlog::async_logger>("spillway", std::move(sink), pool_,
                                                   spdlog::async_overflow_policy::overrun_oldest);
  logger_->set_pattern(json_ ? "%v" : "%H:%M:%S.%e %^%-7l%$ %v");
  logger_->set_level(spdlog::level::trace);
  logger_->flush_on(spdlog::level::warn);
}

Log::~Log() {
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
    append(line, message);
  }
  logger_->log(to_spdlog(level), std::string_view(line.data(), line.size()));
}

void Log::access(const AccessEntry& e) {
  std::string_view target = e.target;
  if (!query_.load(std::memory_order_relaxed)) target = target.substr(0, target.find('?'));
  Line line;
  const auto out = std::back_inserter(line);
  if (json_) {
    append(line, "{\"time\":\"");
    append_time(line);
    append(line, "\"");
    append_field(line, "request_id", e.request_id);
    append_field(line, "trace_id", e.trace_id);
    append_field(line, "client", e.client);
    append_field(line, "method", e.method);
    append_field(line, "path", target);
    fmt::format_to(out, ",\"status\":{}", e.status);
    append_field(line, "outcome", name(e.outcome));
    if (!e.reason.empty()) append_field(line, "reason", e.reason);
    append_field(line, "class", e.class_name);
    fmt::format_to(out,
                   ",\"queue_ms\":{:.3f},\"upstream_ms\":{:.3f},\"total_ms\":{:.3f},\"bytes_in\":{},\"bytes_out\":{},"
                   "\"retries\":{}}}",
                   ms(e.queue), ms(e.upstream), ms(e.total), e.bytes_in, e.bytes_out, e.retries);
  } else {
    fmt::format_to(out, "{} {} {} {} {} {:.1f}ms {}", e.client, e.status, name(e.outcome), e.method, target,
                   ms(e.total), e.reason);
  }
  logger_->log(spdlog::level::info, std::string_view(line.data(), line.size()));
}

std::uint64_t Log::dropped() const {
  return pool_->overrun_counter();
}

}  // namespace spillway::telemetry
