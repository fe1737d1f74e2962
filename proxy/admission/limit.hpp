#pragma once

#include <array>

#include "proxy/admission/policy.hpp"

namespace spillway::admission {

/// How many requests may be in flight: fixed, or learned from latency and throughput. Computes only, enforces nothing.
/// Pure: events come with `now`. Not thread-safe.
///
/// Sources: TCP Vegas (Brakmo and Peterson, 1995) as Netflix' concurrency-limits adapted it: latency above that of an
/// unloaded API tells how many requests queue inside it, q = L * (1 - baseline / latency); the limit grows while q is
/// below alpha = 3 log10 L, shrinks above beta = 6 log10 L, by log10 L each time. Own additions, for what is known to
/// go wrong with it:
///  - Throughput guard: the latency of an API that slows down with its queue says little near the best limit. When
///    throughput falls while the limit rises (or the reverse), the limit shrinks whatever q says; when they move
///    together, it grows, and the baseline follows the latency: then the API has become slower and does not queue.
///    That is the only way for the baseline to rise under load, so it does not drift into accepting a queue.
///  - It moves only while requests are kept waiting for it: what is not used is not learned from, nor does it grow.
///  - Where the API itself sheds what it was sent (503 or 429 with `Retry-After`), it says more than any latency: a
///  window
///    in which a tenth of the answers were such lowers the limit by a tenth (additive increase, multiplicative
///    decrease: Chiu and Jain, 1989; once a window, as TCP does it once a round trip).
///  - At its floor nothing queues by definition: the baseline follows the latency, so that the floor is left again.
/// No probing: no request is ever refused to learn something.
class Limit {
 public:
  /// Up to `max`; that, unless `policy` says to learn.
  Limit(const AdaptivePolicy& policy, int max);
  /// Keeps what was learned, within the new bounds.
  void configure(const AdaptivePolicy& policy, int max);

  int value() const { return static_cast<int>(limit_); }
  /// An arrival found the limit reached.
  void kept_waiting() { ++window_.kept_waiting; }
  /// The API has answered a request. Failures, aborts and health checks are not to be told.
  void learn(Duration latency, Time now);
  /// The API has shed a request. Its latency says nothing.
  void shed(Time now);

  double baseline() const { return baseline_; }  ///< seconds; 0 while unknown
  double latency() const { return latency_; }    ///< seconds, smoothed p90

 private:
  static constexpr int kLatencies = 512;  // of a window, for its p90: its first ones
  static constexpr int kMedianOf = 5;
  static constexpr int kGuardWindows = 4;  // more would answer later, and swing further

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
