#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include <spdlog/sinks/sink.h>

namespace spillway::telemetry {

/// Writes finished lines to a descriptor, several in one call. A full disk costs lines at once; a reader that has
/// stalled holds up this sink (and so fills the logger's queue) until `close`. Lost lines are counted.
/// `log` and `flush` on the logger's thread; the rest from any.
class LineSink final : public spdlog::sinks::sink {
 public:
  /// `descriptor` is not owned.
  explicit LineSink(int descriptor);

  void log(const spdlog::details::log_msg& message) override;
  void flush() override;
  void set_pattern(const std::string&) override {}  // lines come whole
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

  /// From now on a stalled reader is waited for no longer than `kFarewell` in all.
  void close();
  /// Whether lines wait for a flush.
  bool pending() const { return pending_.load(std::memory_order_relaxed); }
  std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kBatch = 32 * 1024;
  static constexpr std::chrono::milliseconds kOldest{200};  ///< a line waits no longer for others
  static constexpr std::chrono::milliseconds kFarewell{1000};

  bool await_room();
  void write_out();

  int descriptor_;
  std::size_t piece_;  ///< bytes that a write takes without blocking once poll(2) says so
  std::string lines_;
  std::chrono::system_clock::time_point first_;  ///< of the lines
  bool torn_ = false;                            ///< the last line written lacks its end
  std::atomic<bool> pending_{false};
  std::atomic<bool> closing_{false};
  std::chrono::steady_clock::time_point until_{};  ///< set before `closing_`
  std::atomic<std::uint64_t> lost_{0};
};

}  // namespace spillway::telemetry
