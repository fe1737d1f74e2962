#include "proxy/telemetry/line_sink.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace spillway::telemetry {

namespace {
constexpr int kLookMs = 50;                  ///< how often a stalled writer looks whether it is to close
constexpr std::size_t kFilePiece = 1 << 20;  ///< a file never blocks
}  // namespace

LineSink::LineSink(int descriptor) : descriptor_(descriptor), piece_(PIPE_BUF) {
  struct stat status {};
  if (::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode)) piece_ = kFilePiece;
}

void LineSink::log(const spdlog::details::log_msg& lines) {
  const std::string_view all(lines.payload.data(), lines.payload.size());
  if (torn_ && write_out("\n").empty()) torn_ = false;
  const std::string_view left = torn_ ? all : write_out(all);
  if (left.empty()) return;
  lost_ += static_cast<std::uint64_t>(std::count(left.begin(), left.end(), '\n'));
  if (left.size() < all.size()) torn_ = all[all.size() - left.size() - 1] != '\n';
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

/// What could not be written.
std::string_view LineSink::write_out(std::string_view text) {
  while (!text.empty() && await_room()) {
    const ssize_t written = ::write(descriptor_, text.data(), std::min(text.size(), piece_));
    if (written < 0 && errno != EINTR && errno != EAGAIN) break;
    text.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
  }
  return text;
}

}  // namespace spillway::telemetry
