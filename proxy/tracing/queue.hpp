#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "proxy/net/clock.hpp"
#include "proxy/tracing/record.hpp"

namespace tracing {

/// Records on their way from the workers to the exporter. Bounded: what does not fit is dropped and counted, and
/// nobody ever waits to push. The lock is held to move one record in, or the whole list out.
class Queue {
 public:
  /// 2 MiB of the proxy's records, 4 MiB if all of their texts are as long as they may be; a second of 2,000 sampled
  /// requests.
  static constexpr std::size_t kMost = 2048;
  /// From so many on the exporter sends without waiting for more.
  static constexpr std::size_t kBatch = 512;

  void push(std::unique_ptr<const Record> record);
  /// Waits until there is a batch, `patience` is over, or `stop` was called; then moves all records behind those in
  /// `records`. Of more than `kMost` there, the oldest are dropped and counted.
  void take(std::vector<std::unique_ptr<const Record>>& records, net::Duration patience);

  void stop();
  bool stopping() const;

  /// Spans lost so far.
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }
  void count_dropped(int spans) { dropped_.fetch_add(static_cast<std::uint64_t>(spans), std::memory_order_relaxed); }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<const Record>> records_;
  bool stopping_ = false;
  std::atomic<std::uint64_t> dropped_{0};
};

}  // namespace tracing
