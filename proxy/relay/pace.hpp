#pragma once

#include <algorithm>
#include <cstdint>

#include "proxy/net/clock.hpp"

namespace spillway::relay {

/// Whether one side keeps up a rate while the other waits for it: a bucket of time, full at the beginning. Each second
/// of waiting takes one second out; each byte puts back the time that it may take at the rate. A side that moves
/// nothing is late after `patience`; one that keeps the rate is never late. Bytes that came early make up for a later
/// pause. Pure: events come with `now`.
class Pace {
 public:
  /// `bytes_per_second` 0: there is no rate to keep, and nobody is ever late.
  Pace(std::uint64_t bytes_per_second, Duration patience)
      : rate_(static_cast<double>(bytes_per_second)), patience_(patience), left_(patience) {}

  /// The other side waits from now on.
  void begin(Time now) {
    waiting_ = true;
    since_ = now;
  }
  /// These bytes have moved; the wait goes on.
  void moved(std::uint64_t bytes, Time now) {
    if (rate_ == 0) return;
    if (waiting_) left_ -= now - since_;
    since_ = now;
    const double worth = static_cast<double>(bytes) / rate_;  // seconds; may be more than a Duration holds
    if (worth >= std::chrono::duration<double>(patience_ - left_).count()) {
      left_ = patience_;
    } else {
      left_ += std::chrono::duration_cast<Duration>(std::chrono::duration<double>(worth));
    }
  }
  /// These bytes have moved, and nobody waits any more.
  void end(std::uint64_t bytes, Time now) {
    moved(bytes, now);
    waiting_ = false;
  }

  /// How long ago it became late; negative while it is not.
  Duration late_by(Time now) const {
    if (rate_ == 0) return -patience_;
    return (waiting_ ? now - since_ : Duration::zero()) - left_;
  }
  /// While waited for: how long from `now` until it is late, if nothing moves.
  Duration left(Time now) const { return rate_ == 0 ? Duration::max() : std::max(Duration::zero(), -late_by(now)); }

 private:
  double rate_;
  Duration patience_;
  Duration left_;
  Time since_{};
  bool waiting_ = false;
};

}  // namespace spillway::relay
