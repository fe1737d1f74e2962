#pragma once

#include <cstdint>
#include <utility>

#include "proxy/net/gather.hpp"
#include "proxy/net/io.hpp"

namespace net {

/// A byte stream to a peer. Code above this class never uses the descriptor.
/// Runs on one event loop. Handlers are called once, also after `cancel` and `close`; the transport must outlive them.
class Transport {
 public:
  using Endpoint = asio::generic::stream_protocol::endpoint;

  /// An accepted socket, non-blocking.
  explicit Transport(Socket socket) : socket_(std::move(socket)) {}
  /// Not open yet.
  explicit Transport(Executor executor) : socket_(std::move(executor)) {}

  Executor executor() { return socket_.get_executor(); }

  /// Opens a socket that can connect to `endpoint`, with TCP options set. False: the process has no descriptor left.
  /// True with an `error`: an option could not be set.
  bool open(const Endpoint& endpoint, error_code& error);
  /// Connects without blocking. The kernel gives no event when a full queue of a unix socket has room again, so
  /// connecting is retried by timer as long as `*given_up` is false. `cancel` ends a wait for TCP. The transport and
  /// `given_up` must outlive the call.
  Task<error_code> connect(Endpoint endpoint, const bool* given_up);

  /// Calls `handler(error_code, std::size_t)` when bytes have been read into `space`.
  template <class Handler>
  void async_read(asio::mutable_buffer space, Handler&& handler) {
    socket_.async_read_some(space, std::forward<Handler>(handler));
  }
  /// Each calls `handler(error_code)`: when a read would not block; when a write would not block; when both directions
  /// are closed or the connection is reset.
  template <class Handler>
  void async_wait_readable(Handler&& handler) {
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
  /// Bytes that the peer has acknowledged: without what waits in the socket.
  std::uint64_t taken() const;

  /// Reads what has come, at most `space`, without waiting: 0 and an `error` if that is nothing. `peek` leaves it
  /// there.
  std::size_t read_now(asio::mutable_buffer space, bool peek, error_code& error);
  /// Bytes have come that nobody has read.
  bool has_unread();
  /// The peer has closed, or sent bytes that nobody has read.
  bool stale();

  /// Tells the peer that no more bytes follow; reading goes on.
  void shutdown_send();
  void close();
  /// Closes with a reset, so that the peer cannot mistake a cut body for a whole one.
  void reset();

 private:
  Socket socket_;
  std::uint64_t written_ = 0;
};

}  // namespace net
