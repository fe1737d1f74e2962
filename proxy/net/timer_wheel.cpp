#include "proxy/net/timer_wheel.hpp"

#include <algorithm>

namespace net {

namespace {
/// Ticks since the clock's epoch, rounded up: the first tick at which `at` has passed.
std::int64_t tick_after(Time at) {
  return (at.time_since_epoch() + TimerWheel::kTick - Duration(1)) / TimerWheel::kTick;
}
std::int64_t tick_before(Time at) {
  return at.time_since_epoch() / TimerWheel::kTick;
}
}  // namespace

std::size_t TimerWheel::slot_of(Time at) {
  return static_cast<std::size_t>(tick_after(at)) % kSlots;
}

void TimerWheel::arm(Deadline& deadline, Time at) {
  // What is already due fires at the next turn, not a whole turn of the wheel later.
  deadline.at_ = at;
  deadline.unlink();
  slots_[slot_of(std::max(at, turned_to_ + Duration(1)))].push_back(deadline);
}

void TimerWheel::turn(Time now) {
  const std::int64_t last = tick_before(now);
  const std::int64_t first = std::max(tick_before(turned_to_) + 1, last - static_cast<std::int64_t>(kSlots) + 1);
  turned_to_ = std::max(turned_to_, now);
  for (std::int64_t tick = first; tick <= last; ++tick) {
    Slot& slot = slots_[static_cast<std::size_t>(tick) % kSlots];
    // A callback may unlink any other deadline, so those due are set apart and taken one by one.
    Slot due;
    for (auto it = slot.begin(); it != slot.end();) {
      Deadline& deadline = *it++;
      if (deadline.at_ > now) continue;
      deadline.unlink();
      due.push_back(deadline);
    }
    while (!due.empty()) {
      Deadline& deadline = due.front();
      due.pop_front();
      deadline.on_deadline();
    }
  }
}

std::optional<Time> TimerWheel::next_turn() const {
  const std::int64_t base = tick_before(turned_to_) + 1;
  for (std::size_t i = 0; i < kSlots; ++i) {
    const std::int64_t tick = base + static_cast<std::int64_t>(i);
    if (!slots_[static_cast<std::size_t>(tick) % kSlots].empty()) return Time(tick * kTick);
  }
  return std::nullopt;
}

}  // namespace net
