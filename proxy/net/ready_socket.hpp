#pragma once

#include <cerrno>
#include <utility>

#include <boost/asio/detail/reactor.hpp>
#include <boost/asio/detail/reactor_op.hpp>
#include <sys/socket.h>

#include "proxy/net/io.hpp"

namespace net {

/// A read that waits for the system to report input. Asio's own read tries first, which on an idle connection is a
/// system call for nothing, and its wait registers anew, which is one, too; this one uses Asio's reactor below its
/// public interface. Without space it only waits, and whoever waits has to read all that there is. It must outlive its
/// wait.
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

  asio::detail::reactor* reactor_ = nullptr;  ///< of its loop, once it has been started
  Done told_;
  void* target_;
  int descriptor_ = -1;
  asio::mutable_buffer space_;
};

/// A socket that takes such reads besides Asio's.
class ReadySocket : public Socket {
 public:
  explicit ReadySocket(Socket socket) : Socket(std::move(socket)) {}
  explicit ReadySocket(Executor executor) : Socket(std::move(executor)) {}

  void start(QuietRead& read, asio::mutable_buffer space) {
    if (!read.reactor_) read.reactor_ = &asio::use_service<Reactor>(get_executor().context());
    read.ec_ = {};
    read.bytes_transferred_ = 0;
    read.cancellation_key_ = &read;
    read.descriptor_ = native_handle();
    read.space_ = space;
    constexpr bool kContinues = false, kTriesIfReported = true;
    read.reactor_->start_op(Reactor::read_op, read.descriptor_, impl_.get_implementation().reactor_data_, &read,
                            kContinues, kTriesIfReported);
  }
  /// Ends its wait with `operation_aborted`, if it waits; those of others go on.
  void stop(QuietRead& read) {
    if (!read.reactor_) return;
    read.reactor_->cancel_ops_by_key(native_handle(), impl_.get_implementation().reactor_data_, Reactor::read_op,
                                     &read);
  }

 private:
  using Reactor = asio::detail::reactor;
};

}  // namespace net
