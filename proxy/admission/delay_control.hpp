#pragma once

#include <algorithm>

#include "proxy/net/clock.hpp"

namespace spillway::admission {

/// Tells a burst, which a queue is for, from a standing overload, which no queue can absorb: by the *smallest* wait
/// of an interval. A burst drains and lets somebody through who hardly waited; under overload everybody waits.
///
/// Sources: CoDel (Nichols and Jacobson, "Controlling Queue Delay", 2012; RFC 8289), whose target of 5 ms and interval
/// of 100 ms are the defaults. Where CoDel drops ever more often, the line is served from its other end
/// ("adaptive LIFO": Maurer, "Fail at Scale", 2015), which pays only while requests are lost anyway: without losses,
/// whoever waits can be served in time, and oldest first serves them all.
class DelayControl {
 public:
  /// `wait` is that of the request served next, 0 if nobody waits. `target` 0: no wait is a sign of overload.
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

  /// Somebody was given up or waited in vain.
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
