#pragma once

#include <algorithm>

namespace spillway::admission {

/// Bounds how many requests may be under way for a second time, so that retries cannot multiply an overload.
/// Source: the retry budgets of Finagle and Envoy: a share of the requests in flight.
class RetryBudget {
 public:
  static constexpr int kLeast = 3;  ///< so that a quiet proxy may retry at all

  explicit RetryBudget(double share) : share_(share) {}
  void configure(double share) { share_ = share; }

  /// Takes a place for a retry, to be given back when it has ended; false: none is left.
  bool take(int in_flight) {
    if (under_way_ >= std::max(kLeast, static_cast<int>(share_ * in_flight))) return false;
    ++under_way_;
    return true;
  }
  void give_back() { --under_way_; }
  int under_way() const { return under_way_; }

 private:
  double share_;
  int under_way_ = 0;
};

}  // namespace spillway::admission
