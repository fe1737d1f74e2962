#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/clock.hpp"
#include "proxy/config/config.hpp"
#include "proxy/telemetry/labels.hpp"

namespace spdlog {
class logger;
namespace details {
class thread_pool;
}
}  // namespace spdlog

namespace spillway::telemetry {

class LineSink;

/// One finished request, as the access log shows it. Views are only read during the call.
struct AccessEntry {
  std::string_view request_id;
  std::string_view trace_id;
  std::string_view client;
  std::string_view method;
  std::string_view target;  ///< the query is cut off unless log.query
  int status = 0;           ///< 0: none was sent
  Outcome outcome = Outcome::ok;
  std::string_view reason;  ///< empty unless something failed or was refused
  std::string_view class_name;
  Duration queue{};
  Duration upstream{};
  Duration total{};
  std::uint64_t bytes_in = 0;   ///< of the request's body
  std::uint64_t bytes_out = 0;  ///< of the response's body
  int in_flight = 0;            ///< requests in flight when it was admitted or refused
  int limit = 0;                ///< how many were admitted then
  int retries = 0;
};

/// Log lines on stdout through spdlog's asynchronous logger. A full queue overwrites its oldest lines:
/// a stalled reader or a full disk costs lines, which are counted, and never a request. Safe from any thread.
class Log {
 public:
  explicit Log(const LogConfig& config);
  ~Log();

  void configure(const LogConfig& config);

  void event(LogLevel level, std::string_view message);
  void info(std::string_view message) { event(LogLevel::info, message); }
  void warning(std::string_view message) { event(LogLevel::warning, message); }
  void error(std::string_view message) { event(LogLevel::error, message); }

  /// Whether a request with this outcome is to be logged; ask before gathering what an entry needs.
  bool wants(Outcome outcome) const {
    const AccessLog access = access_.load(std::memory_order_relaxed);
    return access == AccessLog::all || (access == AccessLog::errors && outcome != Outcome::ok);
  }
  void access(const AccessEntry& entry);

  /// To be called some times a second: writes lines that wait for more.
  void tick();

  std::uint64_t dropped() const;

 private:
  static constexpr std::size_t kQueueLines = 8192;  ///< some seconds of a slow disk at 1,000 requests/s

  bool json_ = true;
  bool coloured_ = false;
  std::atomic<AccessLog> access_;
  std::atomic<LogLevel> level_;
  std::atomic<bool> query_;
  std::shared_ptr<LineSink> sink_;
  std::shared_ptr<spdlog::details::thread_pool> pool_;
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace spillway::telemetry
