#pragma once

#include <cstddef>
#include <functional>
#include <utility>

#include "proxy/net/clock.hpp"
#include "proxy/net/timers.hpp"

namespace net {

/// Gives memory that is free in the heap back to the system, once what leaves much of it has paused. The C library does
/// so by itself only at the heap's end. Takes some milliseconds, and all threads may have to wait. One loop's.
class HeapTrim final : private Deadline {
 public:
  /// `empty_pools`: gives to the heap what is kept for reuse.
  HeapTrim(Timers& timers, std::function<void()> empty_pools) : timers_(timers), empty_pools_(std::move(empty_pools)) {}

  /// Some KiB are free now, and what lies behind them in the heap stays.
  void left_free(Time now);

 private:
  void on_deadline() override;

  Timers& timers_;
  std::function<void()> empty_pools_;
  std::size_t times_ = 0;  ///< since memory was last given back
};

}  // namespace net
