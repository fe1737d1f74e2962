#pragma once

#include <new>
#include <utility>

#include <boost/asio/async_result.hpp>
#include <boost/asio/detail/bind_handler.hpp>
#include <boost/asio/detail/handler_alloc_helpers.hpp>

#include "proxy/net/reactor_socket.hpp"

namespace net {

/// A socket on which a coroutine can wait for input without a system call, see ReactorSocket. The wait owns what it
/// needs, so that the socket may go away meanwhile.
class EdgeSocket final : public ReactorSocket {
 public:
  using ReactorSocket::ReactorSocket;
  EdgeSocket(EdgeSocket&&) = delete;

  /// Waits until input or the end of it has been reported since the last such wait ended. A report that came in between
  /// counts, so the wait may end at once, and there may be nothing to read.
  ///
  /// One report is for all that has come: what the caller leaves unread then is not reported again. Nor is an end that
  /// came together with the last bytes, if the caller has read only these. One such wait at a time; `cancel` and
  /// `close` end it with `operation_aborted`.
  auto wait_input() {
    return asio::async_initiate<decltype((kAwait)), void(error_code)>(
        [this](auto handler) { start_wait(std::move(handler)); }, kAwait);
  }

  /// Ends the wait for input, if there is one, with `operation_aborted`.
  void end_wait() { stop_read(this); }

 private:
  template <class Handler>
  class InputWait final : public asio::detail::reactor_op {
   public:
    BOOST_ASIO_DEFINE_HANDLER_PTR(InputWait);

    explicit InputWait(Handler& handler)
        : reactor_op(error_code(), &InputWait::report, &InputWait::complete), handler_(std::move(handler)) {}

   private:
    /// Uses up the report: the next wait is for a new one.
    static status report(reactor_op* /*base*/) { return done_and_exhausted; }

    /// Frees the memory before it calls the handler, as all operations of Asio do. Without an owner the loop has ended,
    /// and the handler is destroyed.
    static void complete(void* owner, asio::detail::operation* base, const error_code& /*error*/,
                         std::size_t /*size*/) {
      auto* self = static_cast<InputWait*>(base);
      ptr memory = {std::addressof(self->handler_), self, self};
      asio::detail::binder1<Handler, error_code> bound(self->handler_, self->ec_);
      memory.h = std::addressof(bound.handler_);
      memory.reset();
      if (owner) bound();
    }

    Handler handler_;
  };

  template <class Handler>
  void start_wait(Handler handler) {
    using Wait = InputWait<Handler>;
    typename Wait::ptr memory = {std::addressof(handler), Wait::ptr::allocate(handler), nullptr};
    memory.p = new (memory.v) Wait(handler);
    start_read(*memory.p, this);
    memory.v = memory.p = nullptr;
  }
};

}  // namespace net
