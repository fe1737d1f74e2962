#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include <boost/asio/post.hpp>

#include "proxy/net/gather.hpp"
#include "proxy/net/hang_ups.hpp"
#include "proxy/net/io.hpp"
#include "proxy/net/ready_socket.hpp"
#include "proxy/tls/session.hpp"

namespace net {

/// A byte stream to a peer: a socket, or TLS over one. Code above `net/` never uses the descriptor.
/// Runs on one event loop. Handlers are called once, also after `cancel` and `close`; the transport must outlive them.
class Transport {
 public:
  using Endpoint = asio::generic::stream_protocol::endpoint;

  /// An accepted socket, non-blocking.
  explicit Transport(Socket socket) : socket_(std::move(socket)) {}
  /// Not open yet.
  explicit Transport(Executor executor) : socket_(std::move(executor)) {}

  Executor executor() { return socket_.get_executor(); }
  int descriptor() { return socket_.native_handle(); }

  /// Opens a socket that can connect to `endpoint`, with TCP options set. False: the process has no descriptor left.
  /// True with an `error`: an option could not be set.
  bool open(const Endpoint& endpoint, error_code& error);
  /// Connects without blocking. The kernel gives no event when a full queue of a unix socket has room again, so
  /// connecting is retried by timer as long as `*given_up` is false. `cancel` ends a wait for TCP. The transport and
  /// `given_up` must outlive the call.
  Task<error_code> connect(Endpoint endpoint, const bool* given_up);

  /// Speaks TLS from here on. Until `handshake` is done nothing can be read or written.
  void secure(std::unique_ptr<tls::Session> session);
  /// Null: this is plain text.
  const tls::Session* tls() const { return tls_.get(); }
  /// One step of the handshake, without waiting.
  tls::Step handshake_step() { return tls_->handshake(); }
  /// The whole handshake. `cancel` ends the wait.
  Task<error_code> handshake();
  /// Gives TLS up, so that a peer that does not speak it can be answered.
  void give_up_tls() { tls_.reset(); }

  /// Calls `handler(error_code, std::size_t)` when bytes have been read into `space`. `eof`: the peer has said that no
  /// more follow. Over TLS a connection that ends without that gives `connection_aborted`: what came may be cut.
  template <class Handler>
  void async_read(asio::mutable_buffer space, Handler&& handler) {
    if (!tls_) return socket_.async_read_some(space, std::forward<Handler>(handler));
    if (!tls_->has_buffered()) return await_then_read(space, Socket::wait_read, std::forward<Handler>(handler));
    asio::post(executor(), [this, space, handler = std::forward<Handler>(handler)]() mutable {
      read_tls(space, std::move(handler));
    });
  }
  /// Reads what has come, without waiting. `done`: there are bytes, or an `error`. `wants_read`: there is nothing
  /// before the system reports input. `wants_write`: nothing before a write would not block.
  tls::Step try_read(asio::mutable_buffer space, std::size_t& size, error_code& error);
  /// As `async_read`, where nothing is likely to have come yet: does not try first. If the peer has closed together
  /// with the bytes that were read last, that is not told: `watch` tells it. Over TLS it only waits; then `try_read`.
  /// `turn`: of the loop; null: it has none.
  void read_quietly(QuietRead& read, asio::mutable_buffer space, Turn* turn) {
    socket_.start(read, tls_ ? asio::mutable_buffer() : space, turn);
  }
  /// Over TLS, bytes have been taken off the socket that no read has returned.
  bool has_buffered() const { return tls_ && tls_->has_buffered(); }
  /// Behind the `size` bytes that the last read has returned for `space` there may be more: it has not found the end of
  /// what had come.
  bool may_have_more(std::size_t size, std::size_t space) const { return tls_ ? tls_->may_have_more() : size == space; }
  void stop(QuietRead& read) { socket_.stop(read); }
  /// Has `watched` told of the peer's close. False: it will not be.
  bool watch(HangUps& hang_ups, HangUps::Watched& watched) { return hang_ups.watch(socket_.native_handle(), watched); }
  /// Each calls `handler(error_code)`: when a read would not block; when a write would not block; when both directions
  /// are closed or the connection is reset. Over TLS a read may find nothing even so: records are not only of data.
  template <class Handler>
  void async_wait_readable(Handler&& handler) {
    if (tls_ && tls_->established() && tls_->has_buffered() && tls_->peek() != tls::Step::wants_read) {
      asio::post(executor(), [handler = std::forward<Handler>(handler)]() mutable { handler(error_code()); });
      return;
    }
    socket_.async_wait(Socket::wait_read, std::forward<Handler>(handler));
  }
  template <class Handler>
  void async_wait_writable(Handler&& handler) {
    socket_.async_wait(Socket::wait_write, std::forward<Handler>(handler));
  }
  template <class Handler>
  void async_wait_hang_up(Handler&& handler) {
    socket_.async_wait(Socket::wait_error, std::forward<Handler>(handler));
  }
  /// Waits until a write would not block.
  Task<error_code> writable();
  /// Ends all waits with `operation_aborted`.
  void cancel();

  /// Writes without waiting. True when everything has gone out; `error` stays empty when the transport is just full.
  bool write_now(Gather& output, error_code& error);
  /// The same of a send that a turn has performed: `result` of the transfer.
  bool wrote(int result, Gather& output, error_code& error);
  /// splice(2) of a plain socket into a pipe, and out of one into the socket, without waiting: as it returns.
  ssize_t splice_into(int pipe, std::size_t most);
  ssize_t splice_from(int pipe, std::size_t most);
  /// Bytes that the peer has acknowledged: without what waits in the socket.
  std::uint64_t taken() const;

  /// Reads what has come, at most `space`, without waiting: 0 and an `error` if that is nothing. `peek` leaves it
  /// there.
  std::size_t read_now(asio::mutable_buffer space, bool peek, error_code& error);
  /// Bytes have come that nobody has read.
  bool has_unread();
  /// The peer has closed, or sent bytes that nobody has read.
  bool stale();

  /// Tells the peer that no more bytes follow; reading goes on. False: it has to be called again when a write would not
  /// block.
  bool shutdown_send();
  void close();
  /// Closes with a reset, so that the peer cannot mistake a cut body for a whole one.
  void reset();

 private:
  template <class Handler>
  void await_then_read(asio::mutable_buffer space, Socket::wait_type what, Handler&& handler) {
    socket_.async_wait(what, [this, space, handler = std::forward<Handler>(handler)](error_code error) mutable {
      error ? handler(error, 0) : read_tls(space, std::move(handler));
    });
  }
  template <class Handler>
  void read_tls(asio::mutable_buffer space, Handler&& handler) {
    std::size_t size = 0;
    const tls::Step step = tls_->read(static_cast<char*>(space.data()), space.size(), size);
    if (step == tls::Step::done) return handler(error_code(), size);
    if (step == tls::Step::wants_read) return await_then_read(space, Socket::wait_read, std::forward<Handler>(handler));
    if (step == tls::Step::wants_write) {
      return await_then_read(space, Socket::wait_write, std::forward<Handler>(handler));
    }
    handler(error_of(step), 0);
  }
  error_code error_of(tls::Step step) const;
  bool write_tls(Gather& output, error_code& error);

  ReadySocket socket_;
  std::unique_ptr<tls::Session> tls_;
  std::uint64_t written_ = 0;
};

}  // namespace net
