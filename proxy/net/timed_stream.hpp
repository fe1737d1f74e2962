#pragma once

#include <memory>
#include <utility>

#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>

#include "proxy/net/io.hpp"
#include "proxy/net/transport.hpp"
#include "proxy/tls/client_context.hpp"

namespace net {

/// A transport, plain or TLS, with a time limit, as Boost.Beast wants its streams (AsyncReadStream, AsyncWriteStream).
/// For what is seldom: health polls, the admin listener, a collector of spans. One loop's; one read and one write at a
/// time.
class TimedStream {
 public:
  using executor_type = Executor;

  explicit TimedStream(Transport transport) : state_(std::make_shared<State>(std::move(transport))) {}
  TimedStream(TimedStream&&) = default;

  executor_type get_executor() noexcept { return state_->transport.executor(); }
  Transport& transport() { return state_->transport; }

  /// From then on everything fails with `timed_out`. The transport is closed, not only its waits ended: one that began
  /// in the same turn of the loop would never end.
  void expires_at(Time at) {
    state_->timed_out = false;
    state_->timer.expires_at(at);
    state_->timer.async_wait([weak = std::weak_ptr<State>(state_)](error_code error) {
      const auto state = weak.lock();
      if (error || !state) return;
      state->timed_out = true;
      state->transport.close();
    });
  }
  void expires_after(Duration time) { expires_at(Clock::now() + time); }
  bool timed_out() const { return state_->timed_out; }
  /// Connects, and shakes hands if `tls` is not null. If a check of the peer fails, `tls()->fault()` of the transport
  /// says which.
  Task<error_code> connect(Transport::Endpoint endpoint, std::shared_ptr<const tls::ClientContext> tls);
  void close() {
    state_->timer.cancel();
    state_->transport.close();
  }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(error_code, std::size_t)>(
        [state = state_](auto handler, asio::mutable_buffer space) {
          state->transport.async_read(
              space, [state, handler = std::move(handler)](error_code error, std::size_t size) mutable {
                std::move(handler)(state->told(error), size);
              });
        },
        token, first_of<asio::mutable_buffer>(buffers));
  }

  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    Gather output;
    int pieces = 0;
    for (auto each = asio::buffer_sequence_begin(buffers);
         each != asio::buffer_sequence_end(buffers) && pieces < static_cast<int>(Gather::kPieces); ++each) {
      const asio::const_buffer piece(*each);
      output.add({static_cast<const char*>(piece.data()), piece.size()});
      if (piece.size() > 0) ++pieces;
    }
    return asio::async_initiate<Token, void(error_code, std::size_t)>(
        [state = state_](auto handler, Gather bytes) {
          asio::post(state->transport.executor(), [state, bytes, handler = std::move(handler)]() mutable {
            write(state, bytes, std::move(handler));
          });
        },
        token, output);
  }

 private:
  struct State {
    explicit State(Transport t) : transport(std::move(t)), timer(transport.executor()) {}
    ~State() { transport.close(); }  // over TLS the peer is told
    error_code told(error_code error) const { return error && timed_out ? asio::error::timed_out : error; }
    Transport transport;
    Timer timer;
    bool timed_out = false;
  };

  template <class Buffer, class Buffers>
  static Buffer first_of(const Buffers& buffers) {
    for (auto each = asio::buffer_sequence_begin(buffers); each != asio::buffer_sequence_end(buffers); ++each) {
      if (Buffer(*each).size() > 0) return Buffer(*each);
    }
    return {};
  }

  /// Some of the bytes, as soon as there is room.
  template <class Handler>
  static void write(const std::shared_ptr<State>& state, Gather bytes, Handler&& handler) {
    error_code error;
    const std::size_t before = bytes.size();
    state->transport.write_now(bytes, error);
    const std::size_t written = before - bytes.size();
    if (error || written > 0 || before == 0) return std::move(handler)(state->told(error), written);
    state->transport.async_wait_writable([state, bytes, handler = std::move(handler)](error_code failed) mutable {
      if (failed) return std::move(handler)(state->told(failed), std::size_t{0});
      write(state, bytes, std::move(handler));
    });
  }

  std::shared_ptr<State> state_;
};

}  // namespace net
