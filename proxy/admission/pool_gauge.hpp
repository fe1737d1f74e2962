#pragma once

#include <algorithm>
#include <cstdint>

#include "proxy/net/clock.hpp"

namespace spillway::admission {

/// The API's database pool as it last reported it.
struct PoolReport {
  std::int64_t capacity = 0;  ///< most connections the pool may open; 0: the API reports no pool
  std::int64_t in_use = 0;
  std::int64_t open = 0;     ///< connections known to be open; 0: not known
  std::int64_t waiters = 0;  ///< requests inside the API that wait for a connection
};

/// Says whether the API's database pool has room for another request of a class.
/// Requests admitted since the last report are expected to use the pool as those in flight then did: a stalled
/// database sends few reports, and must not be flooded up to the limit between them.
class PoolGauge {
 public:
  static constexpr Duration kTooOld = std::chrono::seconds(2);  ///< an older report counts for nothing
  /// Waiters of a shorter time only wait for their turn. Longer than a connection takes to go from hand to hand, and
  /// apart from `queue.target`, which is about the proxy's own queue.
  static constexpr Duration kHandOver = std::chrono::milliseconds(5);

  /// `in_flight`: without the request whose response carried the report; its connection is back in the pool.
  void report(const PoolReport& report, int in_flight, Time now) {
    if (short_of_connections(report) && (!short_of_connections(report_) || !fresh(now))) short_since_ = now;
    report_ = report;
    in_flight_then_ = in_flight;
    at_ = now;
  }

  /// True when the pool's use has reached `shed_at` of its capacity, or for longer than `kHandOver` more have waited
  /// inside the API than there are connections for.
  bool exhausted(double shed_at, int in_flight, Time now) const {
    if (report_.capacity <= 0 || !fresh(now)) return false;
    if (short_of_connections(report_) && now - short_since_ > kHandOver) return true;
    return in_use(in_flight) >= shed_at * static_cast<double>(report_.capacity) - kRounding;
  }

  /// 0 while there is no fresh report.
  double capacity_pct(int in_flight, Time now) const {
    if (report_.capacity <= 0 || !fresh(now)) return 0;
    return 100 * in_use(in_flight) / static_cast<double>(report_.capacity);
  }

 private:
  static constexpr double kRounding = 1e-6;  // 0.80 of 50 is 40, although 0.80 in binary is a little more

  /// Waiters count only while no connection can be opened for them, and they would take all that are idle: else each
  /// waits for a moment, for its turn or for its connection to open.
  static bool short_of_connections(const PoolReport& report) {
    return report.waiters > 0 && std::max(report.open, report.in_use) >= report.capacity &&
           report.in_use + report.waiters >= report.capacity;
  }
  bool fresh(Time now) const { return now - at_ <= kTooOld; }
  double in_use(int in_flight) const {
    const auto reported = static_cast<double>(report_.in_use);
    const double each = in_flight_then_ > 0 ? std::min(1.0, reported / in_flight_then_) : 0;
    return reported + each * std::max(0, in_flight - in_flight_then_);
  }

  PoolReport report_;
  int in_flight_then_ = 0;
  Time at_{}, short_since_{};
};

}  // namespace spillway::admission
