#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "proxy/net/parking.hpp"
#include "proxy/net/stream.hpp"

namespace spillway::relay {

/// One side of a tunnel: a connection, or a stream of one. Runs on one event loop.
class TunnelSide {
 public:
  class Observer {
   public:
    /// The read that was asked for has ended.
    virtual void on_read(TunnelSide& side) = 0;
    /// There may be room, or with an `error` there never will be.
    virtual void on_room(TunnelSide& side, net::error_code error) = 0;

   protected:
    ~Observer() = default;
  };

  /// Null: nobody is told any more.
  virtual void observe(Observer* observer) = 0;
  /// What has been read and not consumed. Good until the next read or `consume`, which takes all of it.
  virtual std::string_view at_hand() = 0;
  virtual void consume() = 0;
  /// Asks for more, unless that has been asked already.
  virtual void start_read() = 0;
  virtual bool reading() const = 0;
  /// Why no more comes, as `net::Stream::read_error`.
  virtual net::error_code read_error() const = 0;
  /// Writes without waiting, and consumes what has been written; until all has been, the bytes must stay, and the same
  /// output must be given again. True: all has been.
  virtual bool write_now(net::Gather& output, net::error_code& error) = 0;
  virtual void await_room() = 0;
  /// No more bytes follow.
  virtual void shutdown_send() = 0;
  /// Ends the read.
  virtual void cancel() = 0;

 protected:
  ~TunnelSide() = default;
};

/// A whole connection as a side. It observes the stream meanwhile.
class StreamSide final : public TunnelSide, private net::Stream::Observer {
 public:
  explicit StreamSide(net::Stream& stream) : stream_(stream) {}

  void observe(TunnelSide::Observer* observer) override {
    observer_ = observer;
    stream_.observe(observer ? this : nullptr);
  }
  std::string_view at_hand() override { return stream_.in.view(); }
  void consume() override { stream_.in.consume(stream_.in.size()); }
  void start_read() override { stream_.start_read(net::kBlockSize); }
  bool reading() const override { return stream_.reading(); }
  net::error_code read_error() const override { return stream_.read_error(); }
  bool write_now(net::Gather& output, net::error_code& error) override { return stream_.write_now(output, error); }
  void await_room() override {
    stream_.transport().async_wait_writable([this](net::error_code error) { observer_->on_room(*this, error); });
  }
  void shutdown_send() override { stream_.shutdown_send(); }
  void cancel() override { stream_.cancel(); }

 private:
  void on_unawaited_read(net::Stream&) override { observer_->on_read(*this); }

  net::Stream& stream_;
  TunnelSide::Observer* observer_ = nullptr;
};

/// Carries bytes both ways between a client and the API once they have agreed on another protocol. What one side sends
/// is read only when the other has taken what came before: a buffer for each direction is all it holds.
///
/// A side that has sent its last byte is closed towards the other, which may go on sending. The tunnel ends when both
/// have, when a connection breaks, or when a wait on either side is cancelled. Both sides must outlive it, and one loop
/// runs all three.
class Tunnel final : TunnelSide::Observer {
 public:
  /// `moved` is called whenever bytes have gone through, and when a side has sent its last.
  Tunnel(TunnelSide& client, TunnelSide& upstream, std::function<void()> moved);
  Tunnel(const Tunnel&) = delete;

  /// Sends what is at hand first. Returns when nothing is outstanding on either side.
  net::Task<> run();

  /// Everything that either side sent has been passed on; else a connection broke, or a wait was cancelled.
  bool complete() const { return directions_[0].done && directions_[1].done; }
  /// One side has sent its last byte.
  bool half_closed() const { return directions_[0].done != directions_[1].done; }
  /// Bytes have been taken from one side that the other has not got.
  bool has_unsent() const { return !directions_[0].output.empty() || !directions_[1].output.empty(); }
  std::uint64_t from_client() const { return directions_[0].bytes; }
  std::uint64_t from_upstream() const { return directions_[1].bytes; }

 private:
  struct Direction {
    TunnelSide& from;
    TunnelSide& to;
    net::Gather output = {};   ///< what is at hand, and not yet sent
    std::uint64_t bytes = 0;   ///< that have gone through
    bool awaits_room = false;  ///< `to` is full
    bool done = false;         ///< the end has been passed on
  };

  void on_read(TunnelSide& side) override;
  void on_room(TunnelSide& side, net::error_code error) override;
  void advance(Direction& way);
  bool write(Direction& way);
  void pass_on_end(Direction& way);
  void break_off();
  bool outstanding() const;
  void end_if_over();

  std::array<Direction, 2> directions_;  ///< to the API, to the client
  std::function<void()> moved_;
  net::Parking parking_;
  bool broken_ = false;
};

}  // namespace spillway::relay
