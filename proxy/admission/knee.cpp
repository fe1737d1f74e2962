#include "proxy/admission/knee.hpp"

#include <algorithm>
#include <cmath>

namespace spillway::admission {
namespace {

constexpr double kBelowKnee = 0.3;            // from this share of the distance on that throughput shared
constexpr double kInProportion = 0.3;         // less than this share of it is missing in the growth
constexpr double kLeastVariance = 1e-3;       // of throughput and latency: no measurement is without noise
constexpr double kLeast = -0.5, kMost = 1.5;  // of the growth in shares of the distance: more is noise

double apart(const Point& low, const Point& high) {
  return std::log(high.limit / low.limit);
}

}  // namespace

Growth growth(const LatencyWindow& window, const Point& low, const Point& high) {
  const double apart = admission::apart(low, high);
  const double by_rate = std::clamp((high.reading.rate - low.reading.rate) / apart, kLeast, kMost);
  const double by_latency = std::clamp(1 - (high.reading.excess - low.reading.excess) / apart, kLeast, kMost);
  const double rate_weight = 1 / (window.variance() + kLeastVariance);
  const double latency_weight = 1 / (std::pow(window.spread(), 2) + kLeastVariance);
  const double weight = rate_weight + latency_weight;
  const double variance = (1.0 / low.reading.answers + 1.0 / high.reading.answers) / weight;
  return {.by = apart * (rate_weight * by_rate + latency_weight * by_latency) / weight, .error = std::sqrt(variance)};
}

bool below_knee(const LatencyWindow& window, const Point& low, const Point& high) {
  return growth(window, low, high).by > kBelowKnee * apart(low, high);
}

bool in_proportion(const Growth& growth, double apart) {
  return apart - growth.by < kInProportion * apart;
}

bool in_proportion(const LatencyWindow& window, const Point& low, const Point& high) {
  return in_proportion(growth(window, low, high), apart(low, high));
}

}  // namespace spillway::admission
