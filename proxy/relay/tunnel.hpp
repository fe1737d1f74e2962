#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "proxy/net/parking.hpp"
#include "proxy/net/stream.hpp"

namespace spillway::relay {

/// Carries bytes both ways between a client and the API once they have agreed on another protocol. What one side sends
/// is read only when the other has taken what came before: a buffer for each direction is all it holds.
///
/// A side that has sent its last byte is closed towards the other, which may go on sending. The tunnel ends when both
/// have, when a connection breaks, or when a wait on either stream is cancelled. Both streams must outlive it, and one
/// loop runs all three.
class Tunnel final : net::Stream::Observer {
 public:
  /// `moved` is called whenever bytes have gone through, and when a side has sent its last.
  Tunnel(net::Stream& client, net::Stream& upstream, std::function<void()> moved);
  Tunnel(const Tunnel&) = delete;

  /// Sends what the input buffers hold first. Returns when nothing is outstanding on either stream.
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
    net::Stream& from;
    net::Stream& to;
    net::Gather output = {};   ///< what is at the front of `from.in`, and not yet sent
    std::uint64_t bytes = 0;   ///< that have gone through
    bool awaits_room = false;  ///< `to` is full
    bool done = false;         ///< the end has been passed on
  };

  void on_unawaited_read(net::Stream& stream) override;
  void advance(Direction& way);
  bool write(Direction& way);
  void await_room(Direction& way);
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
