#include "proxy/admission/cohort.hpp"

#include <algorithm>

namespace spillway::admission {
namespace {

/// Relative change of the threshold per second, for a load that is too high or low by 1.
constexpr double kByLoad = 1.5;
/// The same for a wait that is too long or short by what it should be: critically damped with `kByLoad`.
constexpr double kByWait = 0.3;
/// The wait to reach, of `max_wait`: with 1 s, 200 ms. Chance alone changes the wait by 60 ms (Poisson arrivals of
/// tasks of four calls); a queue that runs empty would leave slots unused.
constexpr double kWait = 0.2;
/// A second changes the threshold by these factors at most, whatever a moment's rates say.
constexpr double kFastestFall = -1, kFastestRise = 2;
/// At least 1 of 100 clients: so that there is an answer to learn from, and a way back within seconds.
constexpr double kLeast = 0.01;
/// After a longer time without a look, nothing is known of the time between.
constexpr double kLongestStep = 0.1;

}  // namespace

void CohortThreshold::begin(double served, double arriving, Time now) {
  threshold_ = std::clamp(served / arriving, kLeast, 1.0);
  updated_ = now;
}

void CohortThreshold::restore(double threshold, Time now) {
  threshold_ = std::clamp(threshold, kLeast, 1.0);
  updated_ = now;
}

void CohortThreshold::observe(double load, Duration wait, Duration max_wait, Time now) {
  const double passed = std::min(in_seconds(now - updated_), kLongestStep);
  updated_ = now;
  const double late = in_seconds(wait) / (kWait * in_seconds(max_wait)) - 1;
  const double change = std::clamp(kByLoad * (1 - load) - kByWait * late, kFastestFall, kFastestRise);
  threshold_ = std::clamp(threshold_ * (1 + change * passed), kLeast, 1.0);
}

}  // namespace spillway::admission
