#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "proxy/config/config.hpp"
#include "proxy/net/line_queue.hpp"
#include "proxy/telemetry/log_line.hpp"

namespace spillway::telemetry {

/// Log lines on stdout. Lines about requests gather in the queue of lines; see `net::LineQueue` for what a stalled
/// reader costs. Safe from any thread.
class Log {
 public:
  explicit Log(const LogConfig& config);

  void configure(const LogConfig& config);

  /// Writes a line at once, behind all lines before it.
  void event(LogLevel level, std::string_view message);
  void info(std::string_view message) { event(LogLevel::info, message); }
  void warning(std::string_view message) { event(LogLevel::warn, message); }
  void error(std::string_view message) { event(LogLevel::error, message); }

  /// Whether a request with this outcome is logged. Ask before filling an entry.
  bool wants(Outcome outcome) const {
    const AccessLog access = access_.load(std::memory_order_relaxed);
    return access == AccessLog::all || (access == AccessLog::errors && outcome != Outcome::ok);
  }
  /// Whether any request is logged. Ask before noting what only the log needs.
  bool wants_any() const { return access_.load(std::memory_order_relaxed) != AccessLog::off; }
  /// Logs a request. The query of its target is left out unless `log.query` is set.
  void access(AccessEntry entry);

  /// Writes the lines gathered so far. Call it a few times a second.
  void tick() { lines_.tick(); }

  std::uint64_t dropped() const { return lines_.dropped(); }

 private:
  static constexpr std::size_t kQueue = 128;  ///< batches, 4 MiB: seconds of a slow disk at 1,000 requests/s

  LineFormat format_;
  bool terminal_;
  std::atomic<AccessLog> access_;
  std::atomic<LogLevel> level_;
  std::atomic<bool> query_;
  std::atomic<LogFieldSet> fields_;
  net::LineQueue lines_;
};

}  // namespace spillway::telemetry
