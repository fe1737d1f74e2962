#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "proxy/telemetry/counters.hpp"
#include "proxy/telemetry/state.hpp"

namespace spillway::telemetry {

/// The last 15 minutes for the status page, one sample a second of about 350 bytes and 8 for each class. For one
/// thread.
class History {
 public:
  static constexpr std::size_t kSamples = 15 * 60;
  static constexpr Duration kInterval = std::chrono::seconds(1);

  struct Sample {
    std::int64_t at = 0;  ///< seconds since 1970
    // Requests in this second.
    std::uint32_t offered = 0, answered = 0;                    ///< parsed; answered below 500, which a refusal is not
    std::uint32_t aborted = 0;                                  ///< their clients left
    std::array<std::uint32_t, kFailureCauses.size()> failed{};  ///< by cause
    std::array<std::uint32_t, admission::kReasons> refused{}, would_refuse{};
    std::vector<std::uint32_t> offered_of, refused_of;  ///< by class index
    AdmissionState admission;
    bool healthy = true, draining = false, maintenance = false;
    std::int64_t reloaded = 0;  ///< when a configuration was last taken into use, seconds since 1970
    /// p50, p95, p99 of the requests that were served in this second, streams left out; 0: none was.
    std::array<float, 3> latency_ms{};
  };

  explicit History(std::vector<const WorkerCounters*> workers);

  /// Adds a sample of what has happened since the last one.
  void sample(std::int64_t at, const AdmissionState& admission, const ProcessState& process);
  /// Begins with the samples of the process before this one. The newest `kSamples` are kept.
  void restore(std::vector<Sample> samples);
  /// Oldest first.
  const std::deque<Sample>& samples() const { return samples_; }

 private:
  using Buckets = std::array<std::uint64_t, LatencyHistogram::kBuckets>;
  struct ClassTotals {
    std::uint64_t ended = 0;
    std::array<std::uint64_t, admission::kReasons> refused{}, would_refuse{};
  };

  std::vector<const WorkerCounters*> workers_;
  std::deque<Sample> samples_;
  std::uint64_t parsed_ = 0, answered_ = 0, aborted_ = 0;
  std::array<std::uint64_t, kFailureCauses.size()> failed_{};
  std::vector<ClassTotals> totals_;
  Buckets buckets_{};
};

/// The quantile `p` of a histogram, by linear interpolation within a bucket, as Prometheus' histogram_quantile does it.
/// At most the last bound. 0 if the histogram is empty.
double quantile(const std::array<std::uint64_t, LatencyHistogram::kBuckets>& buckets, double p);

}  // namespace spillway::telemetry
