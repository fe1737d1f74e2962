#pragma once

#include <algorithm>

namespace spillway::admission {

/// Limits how many retries may be in flight, so that retries cannot multiply an overload.
/// Source: the retry budgets of Finagle and Envoy, a share of the requests in flight.
class RetryBudget {
 public:
  static constexpr int kLeast = 3;  ///< retries that are always allowed: a quiet proxy may retry, too

  explicit RetryBudget(double share) : share_(share) {}
  void configure(double share) { share_ = share; }

  /// Begins a retry, if the budget allows it. Each one that began must end with `give_back`.
  bool take(int requests_in_flight) {
    if (retries_ >= std::max(kLeast, static_cast<int>(share_ * requests_in_flight))) return false;
    ++retries_;
    return true;
  }
  void give_back() { --retries_; }

 private:
  double share_;
  int retries_ = 0;  ///< in flight
};

}  // namespace spillway::admission
