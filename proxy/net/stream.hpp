#pragma once

#include "proxy/net/buffer.hpp"
#include "proxy/net/gather.hpp"
#include "proxy/net/io.hpp"
#include "proxy/net/parking.hpp"

namespace net {

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
    /// What `await_writable` asked for; also after a cancel: then a write tells whether there is room.
    virtual void on_writable(Stream&) {}
    /// What `await_hang_up` asked for.
    virtual void on_hang_up(Stream&) {}

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
  /// Has the observer told when the socket takes more, unless that has been asked already.
  void await_writable();
  /// Has the observer told when both directions are closed, or the connection is reset; its own close is not told.
  void await_hang_up();
  /// Bytes that the other side has taken, asked of the system: without what waits in the socket.
  std::uint64_t taken() const;
  /// Something is outstanding: a read, or what the observer is to be told. Then the stream must not die; it ends soon
  /// after `close`, and `settle` waits for it once there is no observer.
  bool busy() const { return reading_ || awaits_room_ || awaits_hang_up_; }

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
  void ended();

  Socket socket_;
  Observer* observer_ = nullptr;
  Parking parking_;
  error_code read_error_;
  std::uint64_t written_ = 0;
  bool reading_ = false;
  bool awaits_room_ = false;
  bool awaits_hang_up_ = false;
  bool cancelled_ = false;  ///< before the read began
};

}  // namespace net
