#pragma once

#include <chrono>

#include "proxy/classify/client_key.hpp"

namespace spillway::classify {

/// Gives each client its place among the cohorts, from 0 (served in any overload) to 1: a hash of its key and the seed.
/// Places rise with time, and from 1 on begin at 0 again, so that every client has every place once per `rotate`: with
/// a threshold of 0.5 it is served for half of that time in one piece. The same on all instances that have the same
/// seed and the same time. Immutable.
class Cohorts {
 public:
  Cohorts(const CohortConfig& config, int ipv6_prefix);

  bool enabled() const { return enabled_; }
  /// A request without the header, cookie or token is told by its client's `address`. `certificate`: see ClientKeys.
  double place(const http::RequestHead& request, std::string_view address, std::chrono::system_clock::time_point now,
               std::string_view certificate = {}) const;

 private:
  bool enabled_;
  ClientKeys keys_;
  KeyHash hash_;
  std::chrono::duration<double> rotate_;
};

}  // namespace spillway::classify
