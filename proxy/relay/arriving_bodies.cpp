#include "proxy/relay/arriving_bodies.hpp"

#include <algorithm>
#include <utility>

namespace spillway::relay {

std::size_t room_for_arriving(std::size_t limit, std::size_t others) {
  const std::size_t spare = limit / 16;
  const std::size_t taken = others + spare;
  return std::clamp(taken < limit ? limit - taken : 0, spare, limit / 2);
}

void ArrivingBodies::holds(ArrivingBody& body, std::size_t memory, std::uint64_t received, Time now) {
  if (!body.ArrivingHook::is_linked()) {
    if (memory == 0) return;
    body.memory_ = 0;
    body.since_ = now;
    bodies_.push_back(body);
  }
  body.received_ = static_cast<double>(received);
  const std::size_t more = memory - std::exchange(body.memory_, memory);  // may wrap around, and back again
  held_ += more;
  all_.held.fetch_add(more, std::memory_order_relaxed);
}

void ArrivingBodies::ends(ArrivingBody& body) {
  if (!body.ArrivingHook::is_linked()) return;
  body.ArrivingHook::unlink();
  held_ -= body.memory_;
  all_.held.fetch_sub(body.memory_, std::memory_order_relaxed);
}

void ArrivingBodies::gave_back(ArrivingBody& body) {
  if (!std::exchange(body.leaving_, false)) return;
  all_.leaving.fetch_sub(body.memory_, std::memory_order_relaxed);
  all_.held.fetch_sub(body.memory_, std::memory_order_relaxed);
}

ArrivingBody* ArrivingBodies::next_to_give_up(std::size_t used, std::size_t limit, std::size_t workers, Time now) {
  if (bodies_.empty() || &bodies_.front() == &bodies_.back()) return nullptr;
  const std::size_t held = all_.held.load(std::memory_order_relaxed);
  const std::size_t leaving = all_.leaving.load(std::memory_order_relaxed);
  const std::size_t room = room_for_arriving(limit, used > held ? used - held : 0);
  if (held <= leaving + room || held_ <= room / workers) return nullptr;
  ArrivingBody& body = slowest(now);
  body.ArrivingHook::unlink();
  body.leaving_ = true;
  held_ -= body.memory_;
  all_.leaving.fetch_add(body.memory_, std::memory_order_relaxed);
  return &body;
}

/// Compares rates as products: one that has just come has waited for no time at all.
ArrivingBody& ArrivingBodies::slowest(Time now) {
  ArrivingBody* slowest = &bodies_.front();
  int candidates = 0;
  for (ArrivingBody& body : bodies_) {
    if (++candidates > kCandidatesMax) break;
    const auto waited = static_cast<double>((now - body.since_).count());
    const auto slowest_waited = static_cast<double>((now - slowest->since_).count());
    if (body.received_ * slowest_waited < slowest->received_ * waited) slowest = &body;
  }
  return *slowest;
}

}  // namespace spillway::relay
