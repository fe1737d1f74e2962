#include "proxy/net/line_queue.hpp"

#include <condition_variable>

#include <spdlog/async.h>
#include <spdlog/sinks/sink.h>

#include "proxy/net/line_writer.hpp"

namespace net {

/// `log` and `flush` are called on the logger's thread. A message whose source has a line number is the marker of the
/// flush with that number; the others are batches of lines.
class LineQueue::Sink final : public spdlog::sinks::sink {
 public:
  explicit Sink(int descriptor) : writer_(descriptor) {}

  void log(const spdlog::details::log_msg& lines) override {
    if (lines.source.line > 0) return flushed(lines.source.line);
    lost_ += writer_.write({lines.payload.data(), lines.payload.size()});
  }
  void flush() override {}                          // every batch is written at once
  void set_pattern(const std::string&) override {}  // lines come whole
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

  /// A later marker will do: it stands behind the same lines, and may have overwritten the marker of `flush`.
  bool await_flush(int flush, std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [&] { return flushed_ >= flush; });
  }
  void close() { writer_.close(); }
  std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

 private:
  void flushed(int flush) {
    {
      const std::lock_guard lock(mutex_);
      flushed_ = flush;
    }
    changed_.notify_all();
  }

  LineWriter writer_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int flushed_ = 0;  ///< the last flush whose marker has come
  std::atomic<std::uint64_t> lost_{0};
};

LineQueue::LineQueue(int descriptor, std::size_t batches)
    : sink_(std::make_shared<Sink>(descriptor)),
      pool_(std::make_shared<spdlog::details::thread_pool>(batches, 1)),
      logger_(
          std::make_shared<spdlog::async_logger>("lines", sink_, pool_, spdlog::async_overflow_policy::overrun_oldest)),
      queued_(batches) {}

LineQueue::~LineQueue() {
  {
    const std::lock_guard lock(mutex_);
    hand_over();
  }
  sink_->close();
}

void LineQueue::add(std::string_view line, bool at_once) {
  const std::lock_guard lock(mutex_);
  gathered_.append(line).push_back('\n');
  ++lines_;
  if (at_once || gathered_.size() >= kBatch) hand_over();
}

/// With the lock held.
void LineQueue::hand_over() {
  if (lines_ == 0) return;
  enqueue(0);
  gathered_.clear();
  lines_ = 0;
}

/// With the lock held. Enqueues the gathered lines, or the marker of `flush` if that is not 0. A full queue overwrites
/// its oldest message, which was enqueued one queue's length before.
void LineQueue::enqueue(int flush) {
  const std::size_t overruns = pool_->overrun_counter();
  logger_->log(spdlog::source_loc{"flush", flush, ""}, spdlog::level::info, gathered_);
  std::uint64_t& queued = queued_[messages_++ % queued_.size()];
  if (pool_->overrun_counter() != overruns) overwritten_ += queued;
  queued = lines_;
}

void LineQueue::tick() {
  const std::lock_guard lock(mutex_);
  // While the queue is not empty, send only full batches: small ones would overwrite them.
  if (pool_->queue_size() == 0) hand_over();
}

bool LineQueue::flush(std::chrono::milliseconds limit) {
  int flush = 0;
  {
    const std::lock_guard lock(mutex_);
    hand_over();
    flush = ++flushes_;
    enqueue(flush);
  }
  return sink_->await_flush(flush, limit);
}

void LineQueue::close() {
  sink_->close();
}

std::uint64_t LineQueue::dropped() const {
  return overwritten_ + sink_->lost();
}

}  // namespace net
