#pragma once

#include "proxy/net/clock.hpp"

namespace spillway::admission {

/// Under standing overload, which clients a class serves: those whose place is below a threshold, a number from 0 to 1.
/// A user's task is several calls. To refuse calls independently lets few tasks through whole: of tasks of four calls,
/// at twice the capacity, a third. To refuse the same clients for a while serves the others whole.
///
/// The threshold moves until as much arrives of the served clients as the API serves, with a short queue that evens out
/// chance: a PI controller of the queue's wait, whose proportional part is in the rates (they are the wait's change).
/// It works on the logarithm of the threshold, so that it moves as fast at 0.05 as at 0.5. It moves slowly: each move
/// cuts off clients in mid-task.
///
/// Places rotate with time (see `classify::Cohorts`), so no client is always last, and all instances with the same seed
/// serve the same clients without telling each other.
///
/// Sources: DAGOR (Zhou et al., "Overload Control for Scaling WeChat Microservices", 2018) refuses by a user priority
/// that changes hourly; Uber's Cinnamon (2023) by 128 cohorts for each priority. Both move the threshold in steps from
/// a histogram; to control the wait of a queue in front of the API is ours.
class CohortThreshold {
 public:
  /// False: all clients are served.
  bool active() const { return threshold_ < 1; }
  bool serves(double place) const { return place < threshold_; }
  double value() const { return threshold_; }

  /// Overload has begun: `served` of `arriving` requests per second can go on.
  void begin(double served, double arriving, Time now);
  void end() { threshold_ = 1; }
  void restore(double threshold, Time now);
  /// `load`: what arrives of the served clients, as a part of what the API serves. `wait`: of the oldest request.
  /// `max_wait`: the longest that a request may wait.
  void observe(double load, Duration wait, Duration max_wait, Time now);

 private:
  double threshold_ = 1;
  Time updated_{};
};

}  // namespace spillway::admission
