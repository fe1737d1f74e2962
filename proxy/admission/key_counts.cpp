#include "proxy/admission/key_counts.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace spillway::admission {

void KeyCounts::reserve(std::size_t keys) {
  const std::size_t slots = std::bit_ceil(std::clamp<std::size_t>(keys, 8, kMostKeys) * 2);
  if (slots <= slots_.size()) return;
  const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots));
  for (const Slot& slot : old) {
    if (slot.key != 0) slots_[find(slot.key)] = slot;
  }
}

int KeyCounts::count(std::uint64_t key) const {
  return key == 0 ? 0 : slots_[find(key)].count;
}

bool KeyCounts::add(std::uint64_t key) {
  if (key == 0) return false;
  std::size_t at = find(key);
  if (slots_[at].key == 0) {
    if (keys_ >= kMostKeys) return false;
    if (keys_ * 2 >= slots_.size()) {
      reserve(keys_ * 2);
      at = find(key);
    }
    slots_[at].key = key;
    ++keys_;
  }
  ++slots_[at].count;
  return true;
}

void KeyCounts::remove(std::uint64_t key) {
  std::size_t hole = find(key);
  if (--slots_[hole].count > 0) return;
  --keys_;
  // Close the hole: keys that probing displaced move back, so that each stays reachable from its home slot.
  for (std::size_t at = next(hole); slots_[at].key != 0; at = next(at)) {
    const std::size_t mask = slots_.size() - 1;
    const std::size_t displaced = (at - home(slots_[at].key)) & mask;
    if (displaced < ((at - hole) & mask)) continue;  // its home lies behind the hole
    slots_[hole] = slots_[at];
    hole = at;
  }
  slots_[hole] = {};
}

std::size_t KeyCounts::find(std::uint64_t key) const {
  std::size_t at = home(key);
  while (slots_[at].key != 0 && slots_[at].key != key) at = next(at);
  return at;
}

}  // namespace spillway::admission
