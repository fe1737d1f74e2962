#pragma once

#include <utility>

#include <boost/asio/io_context.hpp>

// Asio's inner headers need the one above before them.
#include <boost/asio/detail/reactor.hpp>
#include <boost/asio/detail/reactor_op.hpp>

#include "proxy/net/io.hpp"

namespace net {

/// A socket that takes reads below Asio's public interface: they wait for a report of Asio's edge-triggered epoll, in
/// which the socket has been since it was opened, so that the wait takes no system call. Asio's own reads try first,
/// and its waits register anew.
class ReactorSocket : public Socket {
 public:
  explicit ReactorSocket(Socket socket) : Socket(std::move(socket)) {}
  explicit ReactorSocket(Executor executor) : Socket(std::move(executor)) {}
  /// Takes a connected socket of another owner, who may take it back with `release`.
  ReactorSocket(Executor executor, int descriptor)
      : Socket(executor, asio::generic::stream_protocol(0, 0), descriptor) {}

 protected:
  /// A report that came since the last read ended counts. `key` names the read for `stop_read`.
  void start_read(asio::detail::reactor_op& read, void* key) {
    if (!reactor_) reactor_ = &asio::use_service<Reactor>(get_executor().context());
    read.cancellation_key_ = key;
    constexpr bool kContinues = false, kTriesIfReported = true;
    reactor_->start_op(Reactor::read_op, native_handle(), data(), &read, kContinues, kTriesIfReported);
  }
  /// Ends it with `operation_aborted`, if it waits; others go on.
  void stop_read(void* key) {
    if (reactor_) reactor_->cancel_ops_by_key(native_handle(), data(), Reactor::read_op, key);
  }

 private:
  using Reactor = asio::detail::reactor;
  Reactor::per_descriptor_data& data() { return impl_.get_implementation().reactor_data_; }

  Reactor* reactor_ = nullptr;  ///< of its loop, once a read has been started
};

}  // namespace net
