#pragma once

#include <new>
#include <utility>

#include <boost/asio/io_context.hpp>

// Asio's inner headers need the one above before them.
#include <boost/asio/async_result.hpp>
#include <boost/asio/detail/bind_handler.hpp>
#include <boost/asio/detail/handler_alloc_helpers.hpp>
#include <boost/asio/detail/reactor.hpp>
#include <boost/asio/detail/reactor_op.hpp>

#include "proxy/net/io.hpp"

namespace net {

/// A socket that can wait for input without a system call. It has been registered with the loop's edge-triggered epoll
/// since it was opened. Asio's own waits either try the operation first, or register anew; this one uses Asio's reactor
/// below its public interface and only waits for the report.
class EdgeSocket final : public Socket {
 public:
  explicit EdgeSocket(Socket socket) : Socket(std::move(socket)) {}
  /// Takes a connected socket of another owner, who may take it back with `release`.
  EdgeSocket(Executor executor, int descriptor) : Socket(executor, asio::generic::stream_protocol(0, 0), descriptor) {}
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
  void end_wait() {
    reactor_.cancel_ops_by_key(native_handle(), impl_.get_implementation().reactor_data_, Reactor::read_op, this);
  }

 private:
  using Reactor = asio::detail::reactor;

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
    memory.p->cancellation_key_ = this;
    constexpr bool kContinues = false, kEndsIfReported = true;
    reactor_.start_op(Reactor::read_op, native_handle(), impl_.get_implementation().reactor_data_, memory.p, kContinues,
                      kEndsIfReported);
    memory.v = memory.p = nullptr;
  }

  Reactor& reactor_ = asio::use_service<Reactor>(get_executor().context());
};

}  // namespace net
