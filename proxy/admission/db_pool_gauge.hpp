#pragma once

#include <algorithm>
#include <cstdint>

#include "proxy/net/clock.hpp"

namespace spillway::admission {

/// The API's database pool as the API reported it.
struct DbPoolReport {
  std::int64_t capacity = 0;  ///< most connections the pool may open; 0: the API reports no pool
  std::int64_t in_use = 0;
  std::int64_t open = 0;     ///< open connections; 0: not known
  std::int64_t waiters = 0;  ///< requests inside the API that wait for a connection
};

/// Tells whether the API's database pool has room for another request of a class.
/// Each request admitted since the last report counts as much as one in flight used on average at that report: with a
/// stalled database there are few reports, and without this the proxy would admit up to the limit between two of them.
class DbPoolGauge {
 public:
  static constexpr Duration kTooOld = std::chrono::seconds(2);  ///< an older report is ignored
  /// Waiters that are there for a shorter time only wait for their turn. Longer than the hand-over of a connection
  /// takes; not `queue.target`, which is about the proxy's own queue.
  static constexpr Duration kHandOver = std::chrono::milliseconds(5);

  /// `in_flight`: requests that will use the database, without the request whose response carried the report; it has
  /// returned its connection to the pool.
  void report(const DbPoolReport& report, double in_flight, Time now) {
    if (short_of_connections(report) && (!short_of_connections(report_) || !fresh(now))) short_since_ = now;
    report_ = report;
    in_flight_then_ = in_flight;
    at_ = now;
  }

  /// True when the use of the pool has reached `shed_at` of its capacity, or when for longer than `kHandOver` more
  /// requests have waited inside the API than there are connections for.
  bool exhausted(double shed_at, double in_flight, Time now) const {
    if (report_.capacity <= 0 || !fresh(now)) return false;
    if (short_of_connections(report_) && now - short_since_ > kHandOver) return true;
    return in_use(in_flight) >= shed_at * static_cast<double>(report_.capacity) - kRounding;
  }

  /// As last reported, however long ago. 0: never.
  std::int64_t capacity() const { return report_.capacity; }

  /// 0 while there is no fresh report.
  double capacity_pct(double in_flight, Time now) const {
    if (report_.capacity <= 0 || !fresh(now)) return 0;
    return 100 * in_use(in_flight) / static_cast<double>(report_.capacity);
  }

 private:
  static constexpr double kRounding = 1e-6;  // 0.80 of 50 is 40, although 0.80 in binary is a little more

  /// Waiters count only if no connection can be opened for them and the idle ones are too few. Otherwise each of them
  /// waits only a moment, for its turn or until its connection is open.
  static bool short_of_connections(const DbPoolReport& report) {
    return report.waiters > 0 && std::max(report.open, report.in_use) >= report.capacity &&
           report.in_use + report.waiters >= report.capacity;
  }
  bool fresh(Time now) const { return now - at_ <= kTooOld; }
  double in_use(double in_flight) const {
    const auto reported = static_cast<double>(report_.in_use);
    const double each = in_flight_then_ > 0 ? std::min(1.0, reported / in_flight_then_) : 0;
    return reported + each * std::max(0.0, in_flight - in_flight_then_);
  }

  DbPoolReport report_;
  double in_flight_then_ = 0;
  Time at_{}, short_since_{};
};

}  // namespace spillway::admission
