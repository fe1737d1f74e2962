#pragma once

#include "proxy/net/buffer.hpp"
#include "proxy/net/parking.hpp"
#include "proxy/net/pipe.hpp"
#include "proxy/net/transport.hpp"
#include "proxy/net/turn.hpp"

namespace net {

/// A transport with its input buffer and at most one read outstanding.
///
/// A read may be started before anybody waits for it. On an idle connection it notices a close or stray
/// bytes at once, and the same read then brings the next message: no extra system call for either.
/// Runs on one event loop; must not be `busy` when it is destroyed.
class Stream final : private HangUps::Watched {
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

  Stream(Transport transport, BlockPool& pool)
      : in(pool), transport_(std::move(transport)), turn_(Turn::of(transport_.executor())) {}

  Buffer in;

  Transport& transport() { return transport_; }
  void observe(Observer* observer) { observer_ = observer; }

  /// Starts a read into `in`, which gets room for `space` bytes, unless one is outstanding.
  /// While it is, `in` may be read and consumed but must not be reserved or released.
  void start_read(std::size_t space = kBlockSize / 4);
  /// The same where nothing is likely to have come yet: a system call less. Unless the peer is watched, its close may
  /// be told late.
  void await_input(std::size_t space = kBlockSize / 4);
  /// Whether what comes next may pass by memory: nothing is on its way there, and it is plain.
  bool can_splice() const { return in.empty() && !reading_ && !transport_.tls(); }
  /// As `start_read`, but what comes, at most `most` bytes, goes into the pipe, which is empty. Only if `can_splice`.
  void start_splice(Pipe& pipe, std::uint64_t most);
  /// The transport is connected. From here on the peer's close is told to whoever reads.
  void watch_peer(HangUps& hang_ups) { peer_closed_ = !transport_.watch(hang_ups, *this); }
  /// The watched peer has closed, or could not be watched: the connection should not be kept.
  bool peer_closed() const { return peer_closed_; }
  bool reading() const { return reading_; }
  /// For `co_await`: the end of the outstanding read, which there must be, or of all that is outstanding after `close`.
  auto wait_read() { return parking_.wait(); }
  /// Whether the last read has left something: bytes, or the end. A system call, unless it is known to have taken all.
  bool has_left() { return filled_ && transport_.stale(); }
  /// Why no more bytes come: end of file, a failure, or `operation_aborted` after `cancel`. Cleared by `start_read`.
  error_code read_error() const { return read_error_; }

  /// Ends all waiting on this stream.
  void cancel();

  /// As `Transport::write_now`.
  bool write_now(Gather& output, error_code& error) { return transport_.write_now(output, error); }
  /// The same of the output and what the pipe holds behind it; null: nothing.
  bool write_now(Gather& output, Pipe* behind, error_code& error) {
    return write_now(output, error) && (!behind || behind->write_now(transport_, error));
  }
  /// For `co_await` on a loop with a `Turn`: the same at the end of the turn; then `written` tells what came of it. The
  /// output must stay, and nothing else may be written meanwhile. `close` and `reset` end it with `operation_aborted`.
  auto write_at_end_of_turn(Gather& output, Turn::Order order = Turn::Order::normal) {
    return turn_->send(write_, transport_, output, order);
  }
  const Turn::Write& written() const { return write_; }
  /// Waits until the transport takes more.
  Task<error_code> writable() { return transport_.writable(); }
  /// Has the observer told when the transport takes more, unless that has been asked already.
  void await_writable();
  /// Has the observer told when both directions are closed, or the connection is reset; its own close is not told.
  void await_hang_up();
  /// Something is outstanding: a read, or what the observer is to be told. Then the stream must not die; it ends soon
  /// after `close`, and `wait_read` waits for it once there is no observer.
  bool busy() const { return reading_ || awaits_room_ || awaits_hang_up_ || write_.queued(); }

  void shutdown_send();
  void close();
  void reset();

 private:
  bool prepare_read(std::size_t space);
  void prepare();
  void post_read();
  void begin_read();
  void read_or_wait();
  tls::Step try_splice(std::size_t& size, error_code& error);
  void on_peer_closed() override;
  static void quiet_read_ended(void* self, error_code error, std::size_t size);
  void on_read(error_code error, std::size_t size);
  void ended();
  void withdraw();

  Transport transport_;
  Turn* turn_;  ///< of its loop; null: it has none
  Turn::Write write_;
  Observer* observer_ = nullptr;
  Parking parking_;
  error_code read_error_;
  QuietRead quiet_read_{&Stream::quiet_read_ended, this};
  Pipe* pipe_ = nullptr;    ///< that the outstanding read fills; null: it is into `in`
  std::uint64_t most_ = 0;  ///< bytes for the pipe
  bool reading_ = false;
  bool awaits_room_ = false;
  bool awaits_hang_up_ = false;
  bool cancelled_ = false;     ///< since the read was started
  bool ends_sending_ = false;  ///< once the transport takes more
  bool peer_closed_ = false;
  bool filled_ = false;      ///< the last read: more may have come
  bool reads_anew_ = false;  ///< the peer has closed: the wait ends, and the socket is read to its end
};

}  // namespace net
