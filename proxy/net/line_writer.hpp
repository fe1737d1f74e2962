#pragma once

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace net {

/// Writes finished lines to a descriptor. Lines that do not fit on a full disk are dropped at once. A reader that has
/// stalled is waited for until `close`. `write` on one thread, `close` on any.
class LineWriter {
 public:
  /// After `close`, the longest wait for a stalled reader in all.
  static constexpr std::chrono::milliseconds kFarewell{1000};

  /// `descriptor` is not owned.
  explicit LineWriter(int descriptor) : descriptor_(descriptor) {
    struct stat status {};
    if (::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode)) piece_ = kFilePiece;
  }

  /// `lines`: each with its line feed. Returns how many were dropped.
  std::uint64_t write(std::string_view lines) {
    if (torn_ && write_out("\n").empty()) torn_ = false;
    const std::string_view left = torn_ ? lines : write_out(lines);
    if (left.size() < lines.size()) torn_ = lines[lines.size() - left.size() - 1] != '\n';
    return static_cast<std::uint64_t>(std::count(left.begin(), left.end(), '\n'));
  }

  void close() {
    until_ = std::chrono::steady_clock::now() + kFarewell;
    closing_ = true;
  }

 private:
  static constexpr int kLookMs = 50;                  ///< how often a stalled writer checks for `close`
  static constexpr std::size_t kFilePiece = 1 << 20;  ///< a file never blocks

  /// Waits until the descriptor accepts bytes. False: give up. O_NONBLOCK would change the descriptor for every process
  /// that shares it, such as the shell that started this one.
  bool await_room() {
    pollfd wanted{descriptor_, POLLOUT, 0};
    while (true) {
      // Once it is late, each of the batches that are left gets a look, and no wait of its own.
      const bool late = closing_ && std::chrono::steady_clock::now() >= until_;
      const int ready = ::poll(&wanted, 1, late ? 0 : kLookMs);
      if (ready > 0) return true;  // also after an error, which write(2) reports
      if (ready < 0 && errno != EINTR) return false;
      if (late) return false;
    }
  }

  /// Returns what could not be written.
  std::string_view write_out(std::string_view text) {
    while (!text.empty() && await_room()) {
      const ssize_t written = ::write(descriptor_, text.data(), std::min(text.size(), piece_));
      if (written < 0 && errno != EINTR && errno != EAGAIN) break;
      text.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
    }
    return text;
  }

  int descriptor_;
  std::size_t piece_ = PIPE_BUF;  ///< bytes that a write takes without blocking once poll(2) says so
  bool torn_ = false;             ///< the last line was written in part
  std::atomic<bool> closing_{false};
  std::chrono::steady_clock::time_point until_{};  ///< set before `closing_`
};

}  // namespace net
