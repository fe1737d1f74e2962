#include "proxy/admission/client_usage.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

namespace spillway::admission {
namespace {

/// Memory of the average: long beside a request, short beside a person's patience.
constexpr double kMemory = 1;  // seconds

/// An average below this does not matter: the smallest share is one slot.
constexpr double kNegligible = 0.05;

/// Slots held for more than so many times as long as the others' are held longer, not just by chance.
constexpr double kLonger = 2;

/// Starts per second from which on it is known how long slots are held.
constexpr double kKnown = 1;

double decay(Duration passed) {
  return std::exp(-in_seconds(passed) / kMemory);
}

}  // namespace

void ClientUsage::reserve(std::size_t keys) {
  const std::size_t size = std::bit_ceil(std::clamp<std::size_t>(keys, 8, kMostKeys) * 2);
  if (size <= entries_.size()) return;
  const std::vector<Entry> old = std::exchange(entries_, std::vector<Entry>(size));
  for (const Entry& entry : old) {
    if (entry.key != 0) entries_[find(entry.key)] = entry;
  }
}

int ClientUsage::requests(std::uint64_t key) const {
  return key == 0 ? 0 : entries_[find(key)].requests;
}

int ClientUsage::in_flight(std::uint64_t key) const {
  return key == 0 ? 0 : entries_[find(key)].in_flight;
}

double ClientUsage::slots(std::uint64_t key, Time now) const {
  return key == 0 ? 0 : entries_[find(key)].slots(now);
}

/// Average over starts, compared without a division.
bool ClientUsage::holds_longer(std::uint64_t key, Time now) const {
  const Entry& own = entries_[find(key)];
  const double own_starts = own.starts * decay(now - own.updated);
  const double starts = all_.starts * decay(now - all_.updated) - own_starts;  // of the others
  if (starts < kKnown) return true;
  const double own_slots = own.slots(now);
  return own_slots * starts > kLonger * (all_.slots(now) - own_slots) * own_starts;
}

double ClientUsage::Entry::slots(Time now) const {
  const double held = in_flight;
  return held + (average - held) * decay(now - updated);
}

bool ClientUsage::add(std::uint64_t key, Time now) {
  if (key == 0) return false;
  std::size_t at = find(key);
  if (entries_[at].key == 0) {
    if (used_ * 2 >= entries_.size()) {
      if (!make_room(now)) return false;
      at = find(key);
    }
    entries_[at] = {.key = key, .updated = now};
    ++used_;
  }
  if (entries_[at].requests++ == 0) ++keys_;
  return true;
}

void ClientUsage::remove(std::uint64_t key) {
  Entry& entry = entries_[find(key)];
  if (--entry.requests == 0) --keys_;
}

void ClientUsage::change_slots(std::uint64_t key, int by, Time now) {
  entries_[find(key)].change_slots(by, now);
  all_.change_slots(by, now);
}

void ClientUsage::Entry::change_slots(int by, Time now) {
  const double held = in_flight, left = decay(now - updated);
  average = static_cast<float>(held + (average - held) * left);
  starts = static_cast<float>(starts * left + (by > 0 ? by / kMemory : 0));
  updated = now;
  in_flight += by;
}

/// Forgets clients without a request: those whose average is small; if that frees too little, all of them. If clients
/// with a request take most of the room, the table grows.
bool ClientUsage::make_room(Time now) {
  const std::size_t enough = entries_.size() / 8 * 3;
  forget(kNegligible, now);
  if (used_ > enough) forget(std::numeric_limits<double>::infinity(), now);
  if (used_ > enough) reserve(entries_.size());
  return used_ < kMostKeys;
}

void ClientUsage::forget(double below, Time now) {
  for (std::size_t at = 0; at < entries_.size();) {
    const Entry& entry = entries_[at];
    if (entry.key != 0 && entry.requests == 0 && entry.slots(now) < below) {
      erase(at);  // another entry may have come here
    } else {
      ++at;
    }
  }
}

/// Closes the hole: keys that probing displaced move back, so that each stays reachable from its home.
void ClientUsage::erase(std::size_t hole) {
  --used_;
  for (std::size_t at = next(hole); entries_[at].key != 0; at = next(at)) {
    const std::size_t mask = entries_.size() - 1;
    const std::size_t displaced = (at - home(entries_[at].key)) & mask;
    if (displaced < ((at - hole) & mask)) continue;  // its home lies behind the hole
    entries_[hole] = entries_[at];
    hole = at;
  }
  entries_[hole] = {};
}

std::size_t ClientUsage::find(std::uint64_t key) const {
  std::size_t at = home(key);
  while (entries_[at].key != 0 && entries_[at].key != key) at = next(at);
  return at;
}

}  // namespace spillway::admission
