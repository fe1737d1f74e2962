#pragma once

#include <chrono>
#include <functional>
#include <iosfwd>
#include <map>
#include <string>
#include <vector>

#include <prometheus/collectable.h>

#include "proxy/telemetry/counters.hpp"
#include "proxy/telemetry/state.hpp"

namespace spillway::telemetry {

/// What the process uses, for the `process_` metrics that Prometheus' client libraries have, too.
struct ProcessUse {
  double cpu_seconds = 0;  ///< of all threads, in user and kernel
  double resident_bytes = 0;
  double open_descriptors = 0, most_descriptors = 0;
  double started = 0;  ///< seconds since 1970
};

/// Where the values come from. All of it must outlive the collector.
struct MetricSources {
  std::vector<const WorkerCounters*> workers;
  const std::vector<std::string>* class_names;
  std::function<AdmissionState()> admission;
  std::function<std::uint64_t()> log_lines_dropped;
  const ProcessState* state;
  std::string version;
  std::function<ProcessUse()> process_use;
  std::function<std::uint64_t()> trace_spans_dropped = {};
  /// By file: when the certificate expires, in seconds since 1970.
  std::function<std::map<std::string, double>()> certificates = {};
  std::function<std::size_t()> buffered_bytes = {};  ///< bodies held in memory; for `/stats` only
};

/// Sums the counts of all workers at each scrape. Safe from any thread. metrics.cpp declares all metrics.
class Metrics final : public prometheus::Collectable {
 public:
  explicit Metrics(MetricSources sources) : sources_(std::move(sources)) {}
  std::vector<prometheus::MetricFamily> Collect() const override;
  /// Prometheus text format 0.0.4.
  std::string text() const;
  /// OpenMetrics 1.0, with exemplars: the ages of these are relative to `now`.
  std::string openmetrics(Time now, std::chrono::system_clock::time_point date) const;

 private:
  MetricSources sources_;
};

/// One line per metric: name, type, labels, help.
void print_declarations(std::ostream& out);

}  // namespace spillway::telemetry
