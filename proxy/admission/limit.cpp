#include "proxy/admission/limit.hpp"

#include <algorithm>
#include <cmath>

namespace spillway::admission {
namespace {

constexpr double kInitial = 20;  // below most APIs' capacity, and doubled within a few windows where it is not
/// If throughput grows by less than this share of the limit's growth, the API is at its capacity.
constexpr double kGrowthSeen = 0.7;
constexpr int kSamples = 50;          // least samples of a window for a meaningful p90
constexpr double kWindow = 0.1;       // seconds; shorter windows are noise at any request rate
constexpr double kLongWindow = 1;     // seconds; such a window needs fewer samples
constexpr int kFewSamples = 10;       // least samples of a long window
constexpr double kLatencyGain = 0.3;  // smoothing of the median p90
constexpr double kFaster = 0.3;       // the baseline follows a faster API quickly,
constexpr double kIdleDrift = 0.05;   // a slower one slowly, and only while no request waits
constexpr double kSlower = 0.2;       // a slower API if the throughput guard shows it
constexpr double kAtFloor = 0.1;      // a slower API at the minimum
/// From this share of waiting requests on, throughput is what the API can do, not what clients ask for.
constexpr double kSaturated = 0.75;
constexpr double kTogether = 0.7;   // from this correlation on, limit and throughput move together
constexpr double kShedShare = 0.1;  // from this share of shed answers on, the API is overloaded; fewer are a burst
constexpr double kShedCut = 0.9;    // factor of the limit for a window in which the API is overloaded
constexpr double kFarAbove = 0.4;   // this part of q - beta is subtracted at once: small steps would take too long

double step_of(double limit) {
  return std::max(1.0, std::log10(limit));
}

void approach(double& value, double target, double gain) {
  value += gain * (target - value);
}

}  // namespace

Limit::Limit(const AdaptivePolicy& policy, int max) : policy_(policy), max_(max), limit_(max) {
  if (policy_.enabled) set(kInitial);
}

void Limit::configure(const AdaptivePolicy& policy, int max) {
  if (policy.enabled != policy_.enabled) {
    *this = Limit(policy, max);
  } else {
    policy_ = policy;
    max_ = max;
    set(policy_.enabled ? limit_ : max_);
  }
}

void Limit::learn(Duration latency, Time now) {
  if (!policy_.enabled) return;
  if (window_.samples + window_.shed == 0) window_.begin = now;
  if (window_.samples < kLatencies) {
    window_.latencies[static_cast<std::size_t>(window_.samples)] = std::chrono::duration<double>(latency).count();
  }
  ++window_.samples;
  close_if_complete(now);
}

void Limit::shed(Time now) {
  if (!policy_.enabled) return;
  if (window_.samples + window_.shed == 0) window_.begin = now;
  ++window_.shed;
  close_if_complete(now);
}

void Limit::close_if_complete(Time now) {
  const double elapsed = std::chrono::duration<double>(now - window_.begin).count();
  if (complete(elapsed)) close(elapsed);
}

bool Limit::complete(double elapsed) const {
  if (elapsed <= 0) return false;
  const int answers = window_.samples + window_.shed;
  if (elapsed >= kLongWindow) return answers >= kFewSamples;
  if (starting_ && window_.shed == 0) return answers >= std::max<double>(kSamples, 2 * limit_);  // each slot used twice
  return elapsed >= kWindow && answers >= kSamples;
}

void Limit::close(double elapsed) {
  const int samples = window_.samples;
  const bool overloaded = window_.shed >= kShedShare * (samples + window_.shed);
  const bool pressed = window_.kept_waiting > 0;
  const bool saturated = window_.kept_waiting >= kSaturated * samples;
  window_.samples = window_.shed = window_.kept_waiting = 0;

  if (samples >= kFewSamples) {
    const auto first = window_.latencies.begin();
    const int kept = std::min(samples, kLatencies);
    const auto p90 = first + kept * 9 / 10;
    std::nth_element(first, p90, first + kept);
    observe_latency(*p90, pressed);
  }
  if (overloaded) {
    starting_ = false;
    points_seen_ = 0;
    set(limit_ * kShedCut);
  } else if (!pressed) {
    points_seen_ = 0;
  } else if (starting_) {
    find_start((samples - 1) / elapsed);
  } else {
    move((samples - 1) / elapsed, saturated);
  }
}

void Limit::observe_latency(double p90, bool pressed) {
  p90s_[static_cast<std::size_t>(p90s_seen_++ % kMedianOf)] = p90;
  const int seen = std::min(p90s_seen_, kMedianOf);
  auto sorted = p90s_;
  std::nth_element(sorted.begin(), sorted.begin() + seen / 2, sorted.begin() + seen);
  const double median = sorted[static_cast<std::size_t>(seen / 2)];

  if (baseline_ == 0) baseline_ = latency_ = median;
  approach(latency_, median, kLatencyGain);
  if (latency_ < baseline_) {
    approach(baseline_, latency_, kFaster);
  } else if (!pressed) {
    approach(baseline_, latency_, kIdleDrift);
  }
}

/// Doubles the limit as long as throughput grows with it. Then starts with the limit that the throughput needs.
void Limit::find_start(double throughput) {
  const bool first = start_.throughput == 0;
  const double raised = first ? 1 : limit_ / start_.limit;
  const double growth = first ? 1 : throughput / start_.throughput;
  if (growth >= kGrowthSeen * raised && limit_ < max_) {
    start_ = {limit_, throughput};
    return set(2 * limit_);
  }
  starting_ = false;
  if (growth < raised) set(start_.limit * std::max(1.0, growth));
}

void Limit::move(double throughput, bool saturated) {
  const double queued = std::ceil(limit_ * (1 - baseline_ / latency_));
  const double alpha = std::max(1.0, 3 * std::log10(limit_)), beta = 2 * alpha, step = step_of(limit_);
  const double together = guard(throughput);
  if (saturated && together < 0) {
    set(limit_ - step);
  } else if (together > kTogether) {
    if (queued > alpha) approach(baseline_, latency_, kSlower);
    set(limit_ + step);
  } else if (queued > beta) {
    set(limit_ - std::max(step, kFarAbove * (queued - beta)));
  } else if (queued < alpha) {
    set(limit_ + step);
  } else if (saturated && together == 0) {
    set(limit_ - step);  // the guard sees nothing while the limit rests: try whether a smaller one suffices
  }
  if (value() <= policy_.min) approach(baseline_, latency_, kAtFloor);
}

/// Correlation of limit and throughput over the last windows; 0 while it is unknown.
double Limit::guard(double throughput) {
  points_[static_cast<std::size_t>(points_seen_++ % kGuardWindows)] = {limit_, throughput};
  if (points_seen_ < kGuardWindows) return 0;
  Point mean{};
  for (const Point& p : points_) {
    mean.limit += p.limit / kGuardWindows;
    mean.throughput += p.throughput / kGuardWindows;
  }
  double covariance = 0, limits = 0, throughputs = 0;
  for (const Point& p : points_) {
    covariance += (p.limit - mean.limit) * (p.throughput - mean.throughput);
    limits += (p.limit - mean.limit) * (p.limit - mean.limit);
    throughputs += (p.throughput - mean.throughput) * (p.throughput - mean.throughput);
  }
  return limits > 0 && throughputs > 0 ? covariance / std::sqrt(limits * throughputs) : 0;
}

void Limit::set(double limit) {
  limit_ = std::clamp<double>(limit, std::min(policy_.min, max_), max_);
}

}  // namespace spillway::admission
