#pragma once

#include <array>
#include <span>
#include <string_view>

#include <boost/asio/buffer.hpp>

#include "proxy/net/buffer.hpp"
#include "proxy/net/io.hpp"
#include "proxy/net/parking.hpp"

namespace net {

/// A few pieces of output that go out in one system call. The bytes belong to the caller.
class Gather {
 public:
  void add(std::string_view piece) {
    if (piece.empty()) return;
    pieces_[last_++] = asio::const_buffer(piece.data(), piece.size());
    size_ += piece.size();
  }
  bool empty() const { return first_ == last_; }
  void consume(std::size_t n);
  std::size_t size() const { return size_; }
  std::span<const asio::const_buffer> pieces() const { return {pieces_.data() + first_, last_ - first_}; }

 private:
  std::array<asio::const_buffer, 4> pieces_;  ///< head, chunk size, payload, chunk end
  std::size_t first_ = 0, last_ = 0, size_ = 0;
};

/// A connected socket with its input buffer and at most one read outstanding.
///
/// A read may be started before anybody waits for it. On an idle connection it notices a close or stray
/// bytes at once, and the same read then brings the next message: no extra system call for either.
/// Runs on one event loop; must be settled (no read outstanding) when it is destroyed.
class Stream {
 public:
  /// Told of a read that completed while nobody waited for it. May destroy the stream.
  class Observer {
   public:
    virtual void on_unawaited_read(Stream& stream) = 0;

   protected:
    ~Observer() = default;
  };

  Stream(Socket socket, BlockPool& pool) : in(pool), socket_(std::move(socket)) {}

  Buffer in;

  Socket& socket() { return socket_; }
  void observe(Observer* observer) { observer_ = observer; }

  /// Starts a read into `in`, which gets room for `space` bytes, unless one is outstanding.
  /// While it is, `in` may be read and consumed but must not be reserved or released.
  void start_read(std::size_t space = kBlockSize / 4);
  bool reading() const { return reading_; }
  /// Waits for the outstanding read, if any.
  Task<> settle() { return parking_.wait(); }
  /// Why no more bytes come: end of file, a failure, or `operation_aborted` after `cancel`. Cleared by `start_read`.
  error_code read_error() const { return read_error_; }

  /// Ends all waiting on this socket.
  void cancel();

  /// Writes without waiting; true when everything has gone out. `error` stays empty when the socket is just full.
  bool write_now(Gather& output, error_code& error);
  /// Waits until the socket takes more.
  Task<error_code> writable();

  /// Whether the other side has closed or sent something it should not have, asked of the system. For idle sockets.
  bool stale();
  /// Whether bytes have come that nobody has read, asked of the system.
  bool bytes_wait();

  void shutdown_send();
  void close();
  /// Closes with a reset, so that the other side cannot mistake a cut body for a whole one.
  void reset();

 private:
  void begin_read();
  void on_read(error_code error, std::size_t size);

  Socket socket_;
  Observer* observer_ = nullptr;
  Parking parking_;
  error_code read_error_;
  bool reading_ = false;
  bool cancelled_ = false;  ///< before the read began
};

}  // namespace net
