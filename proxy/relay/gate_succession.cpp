// One limit for a process and its successor.
#include <algorithm>

#include "proxy/relay/gate.hpp"

namespace spillway::relay {

admission::Learned Gate::learned() const {
  const std::lock_guard lock(mutex_);
  return controller_.learned(Clock::now());
}

void Gate::restore(const admission::Learned& learned, Time now) {
  const std::lock_guard lock(mutex_);
  controller_.restore(learned, now);
}

std::uint64_t Gate::reported_errors() const {
  const std::lock_guard lock(mutex_);
  return connection_errors_.reported();
}

void Gate::restore_errors(std::uint64_t reported, Time now) {
  const std::lock_guard lock(mutex_);
  connection_errors_.restore(reported, now);
}

Gate::Needs Gate::give_up(int spare) {
  const std::lock_guard lock(mutex_);
  const Needs needs{controller_.in_flight() + controller_.queue_length() + spare, controller_.streams()};
  if (needs.requests < controller_.ceiling()) controller_.set_ceiling(needs.requests, Clock::now());
  return needs;
}

void Gate::set_ceiling(int slots, Time now) {
  Decided decided;
  {
    const std::lock_guard lock(mutex_);
    controller_.set_ceiling(slots, now);
    decided = take_decided(now);
  }
  resume(decided);
}

int Gate::leave(const Needs& needs, Time now) {
  Decided decided;
  int granted = 0;
  {
    const std::lock_guard lock(mutex_);
    controller_.set_elsewhere(needs.requests, needs.streams, now);
    granted = std::clamp(controller_.limit() - controller_.in_flight(), 0, std::max(0, needs.requests));
    decided = take_decided(now);
  }
  resume(decided);
  return granted;
}

}  // namespace spillway::relay
