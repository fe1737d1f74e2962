#pragma once

#include "proxy/admission/standing_overload.hpp"

namespace spillway::admission {

/// Refuses one of some arrivals while as much arrives as is served and the queue happens to be long. At a load of 1 the
/// queue is a random walk: nothing draws it back, and what the slots lose between an answer and the next request adds
/// up in it. The few refusals draw it back. A burst is spared (much more arrives than is served), and the time after it
/// (less arrives). So is the queue of clients that each wait for their answer: its length hardly changes.
///
/// Source: RED (Floyd and Jacobson, "Random Early Detection Gateways for Congestion Avoidance", 1993) drops few
/// packets, evenly spread, before the queue is full. Which queues are meant, and to tell them by rates, is ours.
class EarlyRefusal {
 public:
  /// An arrival would be the `length`th that waits. `rates`: counted, not computed. True: refuse it.
  bool refuses(int length, const StandingOverload::Rates& rates, const OverloadTimes& times, Time now);

 private:
  int least_lately(int length, Duration period, Time now);

  int long_ones_ = 0;  // arrivals in a row that found the queue long
  int least_ = 0;      // length that an arrival saw since `since_`
  int least_before_ = 0;
  Time since_{};
};

}  // namespace spillway::admission
