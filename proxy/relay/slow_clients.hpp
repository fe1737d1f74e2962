#pragma once

#include "proxy/net/hooked_list.hpp"
#include "proxy/relay/pace.hpp"

namespace spillway::relay {

/// A client that an exchange with a slot may have to wait for, because its body streams at the client's pace.
class SlotHolder : public net::ListHook<class SlotHolderList> {
 public:
  using Hook = net::ListHook<SlotHolderList>;

  /// Below this rate a client is slow, and its slot goes to a waiting request. A poor mobile connection is faster.
  static constexpr std::uint64_t kSlowRate = 16 * 1024;
  /// Once it has been waited for this long at less than that rate. Half of the default `queue.max_wait`, so that the
  /// waiting request gets the slot in time.
  static constexpr Duration kSlowAfter = std::chrono::milliseconds(500);

  bool holds_slot() const { return Hook::is_linked(); }
  void leave() { Hook::unlink(); }
  /// Ends the exchange: another one waits for its slot.
  virtual void take_slot_back() = 0;

 protected:
  SlotHolder() = default;
  ~SlotHolder() = default;

  /// Brings `tempo` up to date with what has moved.
  virtual void look(Time now) = 0;
  Pace tempo{kSlowRate, kSlowAfter};

 private:
  friend class SlowClients;
};

/// Those of one worker. Decides whose slot is taken back when somebody waits for one. Owns none.
class SlowClients {
 public:
  bool empty() const { return holders_.empty(); }
  /// A slot is held for it from now on, until it leaves.
  void join(SlotHolder& holder) {
    holder.tempo = Pace(SlotHolder::kSlowRate, SlotHolder::kSlowAfter);
    holders_.push_back(holder);
  }
  /// The slowest of those that are slow, or null.
  SlotHolder* slowest(Time now) {
    SlotHolder* slowest = nullptr;
    for (SlotHolder& holder : holders_) {
      if (holder.tempo.late_by(now) > Duration::zero()) holder.look(now);
      const Duration late = holder.tempo.late_by(now);
      if (late > (slowest ? slowest->tempo.late_by(now) : Duration::zero())) slowest = &holder;
    }
    return slowest;
  }

 private:
  net::HookedList<SlotHolder, SlotHolder::Hook> holders_;
};

}  // namespace spillway::relay
