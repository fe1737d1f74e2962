#pragma once

#include <algorithm>

#include "proxy/net/clock.hpp"

namespace spillway::admission {

/// Distinguishes a burst, which a queue absorbs, from standing overload, which no queue can absorb. It looks at the
/// *smallest* wait of an interval: after a burst the queue drains and some request hardly waits; under standing
/// overload every request waits.
///
/// Sources: CoDel (Nichols and Jacobson, "Controlling Queue Delay", 2012; RFC 8289), whose target of 5 ms and interval
/// of 100 ms are the defaults. CoDel then drops requests ever more often; here the newest is served first instead
/// ("adaptive LIFO": Maurer, "Fail at Scale", 2015). That helps only while requests are lost anyway: without losses,
/// serving the oldest first serves every request in time.
class DelayControl {
 public:
  /// `wait`: how long the request that is served next has waited, 0 if none waits. `target` 0: there is no overload.
  void observe(Duration wait, Time now, Duration target, Duration interval) {
    if (target == Duration::zero()) {
      overloaded_ = false;
      return start_interval(now);
    }
    smallest_ = std::min(smallest_, wait);
    if (!overloaded_ && wait <= target) {
      start_interval(now);
    } else if (now - interval_start_ >= interval) {
      overloaded_ = smallest_ > target || (overloaded_ && now - lost_ < interval);
      start_interval(now);
    }
  }

  /// A request was evicted.
  void lost(Time now) { lost_ = now; }

  bool overloaded() const { return overloaded_; }

 private:
  void start_interval(Time now) {
    interval_start_ = now;
    smallest_ = Duration::max();
  }

  Time interval_start_{};
  Time lost_{};
  Duration smallest_ = Duration::max();
  bool overloaded_ = false;
};

}  // namespace spillway::admission
