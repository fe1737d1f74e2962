#include "proxy/telemetry/line_sink.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace spillway::telemetry {

namespace {
constexpr int kLookMs = 50;  ///< how often a stalled writer looks whether it is to close
}

LineSink::LineSink(int descriptor) : descriptor_(descriptor), piece_(PIPE_BUF) {
  struct stat status {};
  if (::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode)) piece_ = kBatch;
}

void LineSink::log(const spdlog::details::log_msg& message) {
  if (lines_.empty()) first_ = message.time;
  lines_.append(message.payload.data(), message.payload.size()).push_back('\n');
  pending_.store(true, std::memory_order_relaxed);
  if (lines_.size() >= kBatch || message.time - first_ >= kOldest) write_out();
}

void LineSink::flush() {
  write_out();
}

void LineSink::close() {
  until_ = std::chrono::steady_clock::now() + kFarewell;
  closing_ = true;
}

/// False: there is none and there will be none. Not by O_NONBLOCK: that would change the descriptor for everybody
/// who shares it, such as the shell that started us.
bool LineSink::await_room() {
  pollfd wanted{descriptor_, POLLOUT, 0};
  while (true) {
    const int ready = ::poll(&wanted, 1, kLookMs);
    if (ready > 0) return true;  // an error, too, which write tells
    if (ready < 0 && errno != EINTR) return false;
    if (closing_ && std::chrono::steady_clock::now() >= until_) return false;
  }
}

void LineSink::write_out() {
  std::size_t done = 0;
  if (torn_) lines_.insert(0, 1, '\n');
  while (done < lines_.size()) {
    if (!await_room()) break;
    const ssize_t written = ::write(descriptor_, lines_.data() + done, std::min(lines_.size() - done, piece_));
    if (written < 0 && errno != EINTR && errno != EAGAIN) break;
    done += static_cast<std::size_t>(std::max<ssize_t>(written, 0));
  }
  if (done < lines_.size()) {
    const auto lost = std::count(lines_.begin() + static_cast<std::ptrdiff_t>(done), lines_.end(), '\n');
    lost_ += static_cast<std::uint64_t>(lost - (torn_ && done == 0 ? 1 : 0));  // the line before was counted
  }
  if (done > 0) torn_ = lines_[done - 1] != '\n';
  lines_.clear();
  pending_.store(false, std::memory_order_relaxed);
}

}  // namespace spillway::telemetry
