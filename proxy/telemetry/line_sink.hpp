#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string_view>

#include <spdlog/sinks/sink.h>

namespace spillway::telemetry {

/// Writes batches of finished lines to a descriptor. A full disk costs lines at once; a reader that has stalled holds
/// up this sink (and so fills the logger's queue) until `close`. Lost lines are counted.
/// `log` on the logger's thread; the rest from any.
class LineSink final : public spdlog::sinks::sink {
 public:
  /// `descriptor` is not owned.
  explicit LineSink(int descriptor);

  void log(const spdlog::details::log_msg& lines) override;
  void flush() override {}                          // nothing is kept
  void set_pattern(const std::string&) override {}  // lines come whole
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

  /// From now on a stalled reader is waited for no longer than `kFarewell` in all.
  void close();
  std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::chrono::milliseconds kFarewell{1000};

  bool await_room();
  std::string_view write_out(std::string_view text);

  int descriptor_;
  std::size_t piece_;  ///< bytes that a write takes without blocking once poll(2) says so
  bool torn_ = false;  ///< the last line written lacks its end
  std::atomic<bool> closing_{false};
  std::chrono::steady_clock::time_point until_{};  ///< set before `closing_`
  std::atomic<std::uint64_t> lost_{0};
};

}  // namespace spillway::telemetry
