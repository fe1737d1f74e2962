#include "proxy/telemetry/log.hpp"

#include <cstdlib>

#include <spdlog/async.h>
#include <unistd.h>

#include "proxy/telemetry/line_sink.hpp"

namespace spillway::telemetry {

namespace {

using std::chrono::system_clock;

LineFormat choose(LogFormat wanted, bool terminal) {
  if (wanted == LogFormat::json || (wanted == LogFormat::automatic && !terminal)) return LineFormat::json;
  const bool colours = terminal && std::getenv("NO_COLOR") == nullptr;  // NOLINT(concurrency-mt-unsafe)
  return colours ? LineFormat::coloured : LineFormat::text;
}

/// To be filled and read within one call; keeps its room.
std::string& empty_line() {
  thread_local std::string line;
  line.clear();
  return line;
}

}  // namespace

Log::Log(const LogConfig& config)
    : terminal_(::isatty(STDOUT_FILENO) == 1), access_(config.access), level_(config.level), query_(config.query) {
  format_ = choose(config.format, terminal_);
  pool_ = std::make_shared<spdlog::details::thread_pool>(kQueue, 1);
  sink_ = std::make_shared<LineSink>(STDOUT_FILENO);
  logger_ =
      std::make_shared<spdlog::async_logger>("spillway", sink_, pool_, spdlog::async_overflow_policy::overrun_oldest);
}

Log::~Log() {
  hand_over();
  sink_->close();
}

void Log::configure(const LogConfig& config) {
  access_ = config.access;
  level_ = config.level;
  query_ = config.query;
}

void Log::event(LogLevel level, std::string_view message) {
  if (level < level_.load(std::memory_order_relaxed)) return;
  std::string& line = empty_line();
  append_event(line, format_, system_clock::now(), level, message);
  add(line, true);
}

void Log::access(AccessEntry entry) {
  if (!query_.load(std::memory_order_relaxed)) entry.target = entry.target.substr(0, entry.target.find('?'));
  std::string& line = empty_line();
  append_access(line, format_, system_clock::now(), entry);
  add(line, terminal_);
}

void Log::add(std::string_view line, bool at_once) {
  const std::lock_guard lock(mutex_);
  gathered_.append(line).push_back('\n');
  ++lines_;
  if (at_once || gathered_.size() >= kBatch) hand_over();
}

/// With the lock held. A batch that is overwritten is the oldest of a full queue: the one handed over `kQueue` before.
void Log::hand_over() {
  if (lines_ == 0) return;
  const std::size_t overruns = pool_->overrun_counter();
  logger_->info(gathered_);
  std::uint64_t& queued = queued_[batches_++ % kQueue];
  if (pool_->overrun_counter() != overruns) overwritten_ += queued;
  queued = lines_;
  gathered_.clear();
  lines_ = 0;
}

void Log::tick() {
  const std::lock_guard lock(mutex_);
  // A reader that is behind gets full batches: small ones would push them out.
  if (pool_->queue_size() == 0) hand_over();
}

std::uint64_t Log::dropped() const {
  return overwritten_ + sink_->lost();
}

}  // namespace spillway::telemetry
