#pragma once

#include "proxy/admission/latency_window.hpp"

namespace spillway::admission {

/// What a window showed, and the limit that was in force in it; 0: none.
struct Point {
  double limit = 0;
  LatencyWindow::Reading reading;
};

/// Two limits compared: did throughput grow with the limit (then both lie below the knee), or latency (then the higher
/// one lies above it)? By Little's law, in flight = throughput * latency, these are two views of one fact, but not with
/// the same noise: each counts by its precision. `window` knows how noisy both are. Limits above 0. Pure.
struct Growth {
  double by = 0;     ///< of throughput, from the lower limit to the higher one: log
  double error = 0;  ///< its standard error
};
Growth growth(const LatencyWindow& window, const Point& low, const Point& high);

/// Throughput rather than latency differs between the limits: the lower one is below the knee.
bool below_knee(const LatencyWindow& window, const Point& low, const Point& high);

/// Throughput grew by nearly as much as the limit: nothing queues at the higher one, either.
bool in_proportion(const Growth& growth, double apart);
bool in_proportion(const LatencyWindow& window, const Point& low, const Point& high);

}  // namespace spillway::admission
