#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "proxy/config/config.hpp"
#include "proxy/telemetry/log_line.hpp"

namespace spdlog {
class logger;
namespace details {
class thread_pool;
}
}  // namespace spdlog

namespace spillway::telemetry {

class LineSink;

/// Log lines on stdout. Lines about requests gather, and go to spdlog's asynchronous logger by the batch: to wake its
/// thread costs more than a line. A full queue overwrites its oldest batch: a stalled reader or a full disk costs
/// lines, which are counted, and never a request. Safe from any thread.
class Log {
 public:
  explicit Log(const LogConfig& config);
  ~Log();

  void configure(const LogConfig& config);

  /// Seen at once, with all lines before it.
  void event(LogLevel level, std::string_view message);
  void info(std::string_view message) { event(LogLevel::info, message); }
  void warning(std::string_view message) { event(LogLevel::warning, message); }
  void error(std::string_view message) { event(LogLevel::error, message); }

  /// Whether a request with this outcome is to be logged; ask before gathering what an entry needs.
  bool wants(Outcome outcome) const {
    const AccessLog access = access_.load(std::memory_order_relaxed);
    return access == AccessLog::all || (access == AccessLog::errors && outcome != Outcome::ok);
  }
  /// The query of its target is left out unless log.query.
  void access(AccessEntry entry);

  /// To be called some times a second: no line waits for more any longer.
  void tick();

  std::uint64_t dropped() const;

 private:
  static constexpr std::size_t kBatch = 32 * 1024;  ///< some 75 requests
  static constexpr std::size_t kQueue = 128;        ///< batches, 4 MiB: seconds of a slow disk at 1,000 requests/s

  void add(std::string_view line, bool at_once);
  void hand_over();

  LineFormat format_;
  bool terminal_;
  std::atomic<AccessLog> access_;
  std::atomic<LogLevel> level_;
  std::atomic<bool> query_;
  std::shared_ptr<LineSink> sink_;
  std::shared_ptr<spdlog::details::thread_pool> pool_;
  std::shared_ptr<spdlog::logger> logger_;

  std::mutex mutex_;  ///< for what follows; the only way into the queue
  std::string gathered_;
  std::uint64_t lines_ = 0;                     ///< gathered
  std::array<std::uint64_t, kQueue> queued_{};  ///< lines of the last batches handed over, by `batches_`
  std::size_t batches_ = 0;                     ///< ever handed over
  std::atomic<std::uint64_t> overwritten_{0};   ///< lines
};

}  // namespace spillway::telemetry
