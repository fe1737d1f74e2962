#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include <prometheus/collectable.h>

#include "proxy/telemetry/counters.hpp"
#include "proxy/telemetry/state.hpp"

namespace spillway::telemetry {

/// Where the values come from. All of it must outlive the collector.
struct MetricSources {
  std::vector<const WorkerCounters*> workers;
  const std::vector<std::string>* class_names;
  std::function<AdmissionState()> admission;
  std::function<std::uint64_t()> log_lines_dropped;
  const ProcessState* state;
  std::string version;
  std::function<std::size_t()> buffered_bytes = {};  ///< bodies held in memory; for `/stats` only
};

/// Sums the counts of all workers at each scrape. Safe from any thread. metrics.cpp declares all metrics.
class Metrics final : public prometheus::Collectable {
 public:
  explicit Metrics(MetricSources sources) : sources_(std::move(sources)) {}
  std::vector<prometheus::MetricFamily> Collect() const override;
  /// Prometheus text format 0.0.4.
  std::string text() const;

 private:
  MetricSources sources_;
};

/// One line per metric: name, type, labels, help.
void print_declarations(std::ostream& out);

}  // namespace spillway::telemetry
