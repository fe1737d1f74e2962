#pragma once

#include <array>

#include "proxy/admission/policy.hpp"

namespace spillway::admission {

/// How many requests may be in flight: fixed, or learned from latency and throughput. It computes the limit; the
/// controller enforces it.
/// Pure: events come with `now`. Not thread-safe.
///
/// Sources: TCP Vegas (Brakmo and Peterson, 1995) as Netflix' concurrency-limits adapted it: latency above that of an
/// unloaded API tells how many requests queue inside it, q = L * (1 - baseline / latency). The limit grows while q is
/// below alpha = 3 log10 L and shrinks while it is above beta = 6 log10 L, by log10 L each time. Own additions, against
/// its known weaknesses:
///  - Throughput guard: the latency of an API that slows down with its queue says little near the best limit. If
///    throughput falls while the limit rises (or the reverse), the limit shrinks whatever q is. If both move together,
///    the limit grows and the baseline follows the latency: the API has become slower, but it does not queue.
///    Under load the baseline rises in no other way, so that it does not drift up with a queue.
///  - The limit moves only while requests wait because of it: an unused limit teaches nothing and must not grow.
///  - If the API itself sheds requests (503 or 429 with `Retry-After`), that says more than its latency. A window in
///    which a tenth of the answers were shed lowers the limit by a tenth (additive increase, multiplicative decrease:
///    Chiu and Jain, 1989; once a window, as TCP does once a round trip).
///  - At its minimum nothing queues by definition: the baseline follows the latency, so that the limit can grow again.
/// No probing: no request is refused in order to learn.
class Limit {
 public:
  /// The limit is `max`, or is learned up to `max` if `policy` is enabled.
  Limit(const AdaptivePolicy& policy, int max);
  /// Keeps what was learned, within the new bounds.
  void configure(const AdaptivePolicy& policy, int max);

  int value() const { return static_cast<int>(limit_); }
  /// An arrival found no free slot because of the limit.
  void kept_waiting() { ++window_.kept_waiting; }
  /// The API has answered a request. Not for failures, aborts and health polls.
  void learn(Duration latency, Time now);
  /// The API has shed a request. Its latency is of no use.
  void shed(Time now);

  double baseline() const { return baseline_; }  ///< seconds; 0 while unknown
  double latency() const { return latency_; }    ///< seconds, smoothed p90

 private:
  static constexpr int kLatencies = 512;  // kept of each window, its first ones, for its p90
  static constexpr int kMedianOf = 5;
  static constexpr int kGuardWindows = 4;  // more windows would react later, and overshoot

  struct Window {
    Time begin{};
    int samples = 0, shed = 0, kept_waiting = 0;
    std::array<double, kLatencies> latencies;
  };

  void close_if_complete(Time now);
  bool complete(double elapsed) const;
  void close(double elapsed);
  void observe_latency(double p90, bool pressed);
  void find_start(double throughput);
  void move(double throughput, bool saturated);
  double guard(double throughput);
  void set(double limit);

  AdaptivePolicy policy_;
  int max_;
  double limit_;
  Window window_;
  double latency_ = 0, baseline_ = 0;
  std::array<double, kMedianOf> p90s_{};
  int p90s_seen_ = 0;
  struct Point {
    double limit = 0, throughput = 0;
  };
  bool starting_ = true;
  Point start_;  // before the last doubling
  std::array<Point, kGuardWindows> points_{};
  int points_seen_ = 0;
};

}  // namespace spillway::admission
