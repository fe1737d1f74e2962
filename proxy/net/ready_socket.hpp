#pragma once

#include <cerrno>

#include <sys/socket.h>

#include "proxy/net/reactor_socket.hpp"

namespace net {

/// A read that waits for the system to report input, see ReactorSocket. Without space it only waits, and whoever waits
/// has to read all that there is. It must outlive its wait.
class QuietRead final : public asio::detail::reactor_op {
 public:
  using Done = void (*)(void* target, error_code error, std::size_t size);
  QuietRead(Done told, void* target)
      : reactor_op(error_code(), &QuietRead::perform, &QuietRead::complete), told_(told), target_(target) {}

 private:
  friend class ReadySocket;

  static status perform(reactor_op* base) {
    auto& self = *static_cast<QuietRead*>(base);
    if (self.space_.size() == 0) return done_and_exhausted;
    ssize_t size = 0;
    do {
      size = ::recv(self.descriptor_, self.space_.data(), self.space_.size(), 0);
    } while (size < 0 && errno == EINTR);
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return not_done;
    if (size < 0) self.ec_ = error_code(errno, asio::error::get_system_category());
    if (size == 0) self.ec_ = asio::error::eof;
    self.bytes_transferred_ = size > 0 ? static_cast<std::size_t>(size) : 0;
    // A short read has taken all there was: the next one waits for a new report.
    return self.bytes_transferred_ < self.space_.size() ? done_and_exhausted : done;
  }
  static void complete(void* owner, asio::detail::operation* base, const error_code& /*error*/, std::size_t /*size*/) {
    if (!owner) return;  // the loop ends
    auto& self = *static_cast<QuietRead*>(base);
    self.told_(self.target_, self.ec_, self.bytes_transferred_);
  }

  Done told_;
  void* target_;
  int descriptor_ = -1;
  asio::mutable_buffer space_;
};

/// A socket that takes such reads besides Asio's.
class ReadySocket : public ReactorSocket {
 public:
  using ReactorSocket::ReactorSocket;

  void start(QuietRead& read, asio::mutable_buffer space) {
    read.ec_ = {};
    read.bytes_transferred_ = 0;
    read.descriptor_ = native_handle();
    read.space_ = space;
    start_read(read, &read);
  }
  /// Ends its wait with `operation_aborted`, if it waits; those of others go on.
  void stop(QuietRead& read) { stop_read(&read); }
};

}  // namespace net
