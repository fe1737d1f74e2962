#pragma once

#include <atomic>
#include <chrono>

#include "proxy/net/clock.hpp"

namespace spillway::telemetry {

/// Bounds how often the log tells of what may happen at any rate: once in `kEvery`. Any thread.
class Seldom {
 public:
  static constexpr Duration kEvery = std::chrono::seconds(10);

  /// Whether to write a line now; then none is due for `kEvery`.
  bool due(Time now) {
    Time last = last_.load(std::memory_order_relaxed);
    return (last == Time{} || now - last >= kEvery) && last_.compare_exchange_strong(last, now);
  }

 private:
  std::atomic<Time> last_{Time{}};
};

}  // namespace spillway::telemetry
