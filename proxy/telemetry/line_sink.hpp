#pragma once

#include <atomic>
#include <cstdint>

#include <spdlog/sinks/sink.h>

#include "proxy/net/line_writer.hpp"

namespace spillway::telemetry {

/// Writes batches of finished lines to a descriptor. A reader that has stalled holds up this sink (and so fills the
/// logger's queue) until `close`. Lost lines are counted. `log` on the logger's thread; the rest from any.
class LineSink final : public spdlog::sinks::sink {
 public:
  /// `descriptor` is not owned.
  explicit LineSink(int descriptor) : writer_(descriptor) {}

  void log(const spdlog::details::log_msg& lines) override {
    lost_ += writer_.write({lines.payload.data(), lines.payload.size()});
  }
  void flush() override {}                          // nothing is kept
  void set_pattern(const std::string&) override {}  // lines come whole
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

  /// See `net::LineWriter::close`.
  void close() { writer_.close(); }
  std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

 private:
  net::LineWriter writer_;
  std::atomic<std::uint64_t> lost_{0};
};

}  // namespace spillway::telemetry
