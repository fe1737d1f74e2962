#include "proxy/net/line_queue.hpp"

#include <semaphore>

#include <spdlog/async.h>
#include <spdlog/sinks/sink.h>

#include "proxy/net/line_writer.hpp"

namespace net {

/// `log` and `flush` are called on the logger's thread.
class LineQueue::Sink final : public spdlog::sinks::sink {
 public:
  explicit Sink(int descriptor) : writer_(descriptor) {}

  void log(const spdlog::details::log_msg& lines) override {
    lost_ += writer_.write({lines.payload.data(), lines.payload.size()});
  }
  void flush() override { flushed_.release(); }
  void set_pattern(const std::string&) override {}  // lines come whole
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

  bool await_flush(std::chrono::milliseconds limit) { return flushed_.try_acquire_for(limit); }
  void close() { writer_.close(); }
  std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

 private:
  LineWriter writer_;
  std::counting_semaphore<> flushed_{0};
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

/// With the lock held. The batch that is overwritten is the oldest of a full queue: it was handed over one queue's
/// length before.
void LineQueue::hand_over() {
  if (lines_ == 0) return;
  const std::size_t overruns = pool_->overrun_counter();
  logger_->info(gathered_);
  std::uint64_t& queued = queued_[batches_++ % queued_.size()];
  if (pool_->overrun_counter() != overruns) overwritten_ += queued;
  queued = lines_;
  gathered_.clear();
  lines_ = 0;
}

void LineQueue::tick() {
  const std::lock_guard lock(mutex_);
  // While the queue is not empty, send only full batches: small ones would overwrite them.
  if (pool_->queue_size() == 0) hand_over();
}

bool LineQueue::flush(std::chrono::milliseconds limit) {
  {
    const std::lock_guard lock(mutex_);
    hand_over();
    logger_->flush();
  }
  return sink_->await_flush(limit);
}

void LineQueue::close() {
  sink_->close();
}

std::uint64_t LineQueue::dropped() const {
  return overwritten_ + sink_->lost();
}

}  // namespace net
