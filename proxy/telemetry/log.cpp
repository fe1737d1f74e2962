#include "proxy/telemetry/log.hpp"

#include <cstdlib>
#include <string>

#include <unistd.h>

namespace spillway::telemetry {

namespace {

using std::chrono::system_clock;

LineFormat choose(LogFormat wanted, bool terminal) {
  if (wanted == LogFormat::json || (wanted == LogFormat::automatic && !terminal)) return LineFormat::json;
  const bool colours = terminal && std::getenv("NO_COLOR") == nullptr;  // NOLINT(concurrency-mt-unsafe)
  return colours ? LineFormat::coloured : LineFormat::text;
}

/// A line to be filled and read within one call. It keeps its capacity.
std::string& empty_line() {
  thread_local std::string line;
  line.clear();
  return line;
}

}  // namespace

Log::Log(const LogConfig& config)
    : terminal_(::isatty(STDOUT_FILENO) == 1),
      access_(config.access),
      level_(config.level),
      query_(config.query),
      fields_(all_of(config.fields)),
      lines_(STDOUT_FILENO, kQueue) {
  format_ = choose(config.format, terminal_);
}

void Log::configure(const LogConfig& config) {
  access_ = config.access;
  level_ = config.level;
  query_ = config.query;
  fields_ = all_of(config.fields);
}

void Log::event(LogLevel level, std::string_view message) {
  if (level < level_.load(std::memory_order_relaxed)) return;
  std::string& line = empty_line();
  append_event(line, format_, system_clock::now(), level, message);
  lines_.add(line, true);
}

void Log::access(AccessEntry entry) {
  if (!query_.load(std::memory_order_relaxed)) entry.target = entry.target.substr(0, entry.target.find('?'));
  std::string& line = empty_line();
  append_access(line, format_, system_clock::now(), entry, fields_.load(std::memory_order_relaxed));
  lines_.add(line, terminal_);
}

}  // namespace spillway::telemetry
