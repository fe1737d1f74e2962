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

/// The last 15 minutes for the status page, one sample a second of about 200 bytes and 8 for each class. For one
/// thread.
class History {
 public:
  static constexpr std::size_t kSamples = 15 * 60;
  static constexpr Duration kInterval = std::chrono::seconds(1);

  struct Sample {
    std::int64_t at = 0;                      ///< seconds since 1970
    std::uint32_t offered = 0, answered = 0;  ///< requests in this second: parsed; answered by the API
    std::array<std::uint32_t, admission::kReasons> refused{};
    std::vector<std::uint32_t> offered_of, refused_of;  ///< by class index
    AdmissionState admission;
    std::array<float, 3> latency_ms{};  ///< p50, p95, p99 of the requests that ended in this second; 0: none did
  };

  explicit History(std::vector<const WorkerCounters*> workers);

  /// Adds a sample of what has happened since the last one.
  void sample(std::int64_t at, const AdmissionState& admission);
  /// Oldest first.
  const std::deque<Sample>& samples() const { return samples_; }

 private:
  using Buckets = std::array<std::uint64_t, LatencyHistogram::kBuckets>;
  struct ClassTotals {
    std::uint64_t ended = 0;
    std::array<std::uint64_t, admission::kReasons> refused{};
  };

  std::vector<const WorkerCounters*> workers_;
  std::deque<Sample> samples_;
  std::uint64_t parsed_ = 0, answered_ = 0;
  std::vector<ClassTotals> totals_;
  Buckets buckets_{};
};

/// The quantile `p` of a histogram, by linear interpolation within a bucket, as Prometheus' histogram_quantile does it.
/// At most the last bound. 0 if the histogram is empty.
double quantile(const std::array<std::uint64_t, LatencyHistogram::kBuckets>& buckets, double p);

}  // namespace spillway::telemetry
