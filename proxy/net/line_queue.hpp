#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace spdlog {
class logger;
namespace details {
class thread_pool;
}
}  // namespace spdlog

namespace net {

/// Hands lines to a thread that writes them to a descriptor. Lines gather, and go to spdlog's asynchronous logger by
/// the batch: to wake its thread costs more than a line. A full queue overwrites its oldest batch: a stalled reader or
/// a full disk costs lines, which are counted, and never a request. Safe from any thread.
class LineQueue {
 public:
  /// `descriptor` is not owned. `batches`: how many may wait for the writer.
  LineQueue(int descriptor, std::size_t batches);
  /// Writes what is left. A reader that has stalled loses it after `LineWriter::kFarewell`.
  ~LineQueue();
  LineQueue(const LineQueue&) = delete;
  LineQueue& operator=(const LineQueue&) = delete;

  /// `line` without its end. `at_once`: hands it over with all lines before it.
  void add(std::string_view line, bool at_once);
  /// Hands over what has gathered if the writer is idle. Call it some times a second if lines gather.
  void tick();
  /// Waits until every line so far has been written or dropped. False: not within `limit`. Several threads may wait.
  bool flush(std::chrono::milliseconds limit);
  /// From now on a reader that has stalled is waited for no longer than `LineWriter::kFarewell`.
  void close();
  /// Lines that were overwritten in the queue, or could not be written.
  std::uint64_t dropped() const;

 private:
  class Sink;
  static constexpr std::size_t kBatch = 32 * 1024;  ///< bytes: some 75 lines of the access log

  void hand_over();
  void enqueue(int flush);

  std::shared_ptr<Sink> sink_;
  std::shared_ptr<spdlog::details::thread_pool> pool_;
  std::shared_ptr<spdlog::logger> logger_;

  std::mutex mutex_;  ///< for what follows; the only way into the queue
  std::string gathered_;
  std::uint64_t lines_ = 0;                    ///< gathered
  std::vector<std::uint64_t> queued_;          ///< lines of the last messages, by `messages_`
  std::size_t messages_ = 0;                   ///< ever enqueued: batches and markers of flushes
  int flushes_ = 0;                            ///< ever asked for
  std::atomic<std::uint64_t> overwritten_{0};  ///< lines
};

}  // namespace net
