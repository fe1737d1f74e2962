#pragma once

#include "proxy/admission/policy.hpp"

namespace spillway::admission {

/// The times by which overload is told from a burst: those of the policy, and longer ones for an API so slow that a
/// few requests are many.
struct OverloadTimes {
  OverloadTimes() = default;
  /// `served`: requests per second, 0 if unknown; `service`: typical time of one, 0 if unknown.
  OverloadTimes(const QueuePolicy& policy, double served, Duration service);

  Duration interval{};  ///< over which arrivals are counted
  Duration patience{};  ///< more may arrive than is served for so long
  Duration target{};    ///< a wait below it is no overload; 0: none ever is
};

/// Distinguishes a burst, which a queue absorbs, from standing overload, which no queue can absorb. The length of the
/// queue cannot tell: a burst may need hundreds of places, standing overload needs next to none. Rates can: under
/// standing overload more arrives than is served for longer than `patience`, so that the wait goes on growing.
///
/// It ends when clearly less arrives than is served, or when many starts find a free slot. An empty queue is no sign
/// of the end: one with few places is empty now and then at any load.
///
/// Sources: CoDel (Nichols and Jacobson, "Controlling Queue Delay", 2012; RFC 8289) tells good queues from standing
/// ones by time, not by length. Adaptive LIFO (Maurer, "Fail at Scale", 2015) serves the newest first under overload.
/// To compare rates instead of waits is ours: a queue that is about to drain is not taken for a standing one.
class StandingOverload {
 public:
  struct Rates {
    double arriving = 0;  ///< requests per second over `interval`
    double lasting = 0;   ///< the same over `patience`
    double served = 0;    ///< 0: unknown
  };

  /// `wait`: how long the oldest request has waited, 0 if none waits. Call when a request has to wait, and every few
  /// milliseconds while one does.
  void observe(const Rates& rates, Duration wait, const OverloadTimes& times, Time now);
  /// A request was started. `free`: it did not wait.
  void started(bool free) { found_free_ += ((free ? 1 : 0) - found_free_) / kStarts; }

  bool standing() const { return standing_; }
  void restore(bool standing) { standing_ = standing; }
  /// Clearly less has been arriving than is served, for longer than a moment.
  static bool over(const Rates& rates);

 private:
  static constexpr double kStarts = 128;  // memory of the share of starts that find a free slot

  bool standing_ = false;
  bool excess_ = false;  // more arrives than is served, since then:
  Time excess_since_{};
  Time observed_{};
  double found_free_ = 0;
};

}  // namespace spillway::admission
