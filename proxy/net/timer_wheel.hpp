#pragma once

#include <array>
#include <optional>

#include <boost/intrusive/list.hpp>

#include "proxy/net/clock.hpp"

namespace net {

/// Something that can run out of time. Sits in at most one wheel; leaves it when destroyed.
/// `on_deadline` runs on the wheel's thread, once per `arm`; it may arm, disarm or destroy any deadline.
class Deadline : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  virtual void on_deadline() = 0;
  void disarm() { unlink(); }
  bool armed() const { return is_linked(); }

 protected:
  Deadline() = default;
  ~Deadline() = default;

 private:
  friend class TimerWheel;
  Time at_{};
};

/// Hashed timing wheel (Varghese & Lauck 1987, scheme 6): arm and disarm in O(1), a turn visits one slot per tick.
/// Deadlines beyond one turn stay in their slot until their turn has come. Fires up to one tick late, never early.
/// Pure: reads no clock. Not thread-safe.
class TimerWheel {
 public:
  static constexpr Duration kTick = std::chrono::milliseconds(10);
  static constexpr std::size_t kSlots = 1024;  ///< a turn of 10 s: most timeouts fire within three turns

  explicit TimerWheel(Time start) : turned_to_(start) {}

  /// (Re)arms `deadline` for `at`.
  void arm(Deadline& deadline, Time at);
  /// Fires every deadline that is due at `now`.
  void turn(Time now);
  /// When `turn` has to be called next; nothing armed: nothing to wait for.
  std::optional<Time> next_turn() const;

 private:
  using Slot = boost::intrusive::list<Deadline, boost::intrusive::constant_time_size<false>>;
  static std::size_t slot_of(Time at);

  std::array<Slot, kSlots> slots_;
  Time turned_to_;  ///< every deadline up to here has fired
};

}  // namespace net
