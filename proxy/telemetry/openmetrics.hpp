#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <prometheus/metric_family.h>

namespace spillway::telemetry {

inline constexpr std::string_view kOpenMetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether a field `Accept` prefers OpenMetrics 1.0 to Prometheus' text format, as Prometheus' own does.
bool prefers_openmetrics(std::string_view accept);

/// An exemplar as the text shows it.
struct DatedExemplar {
  std::string trace_id;
  double value = 0;
  double date = 0;  ///< seconds since 1970
};
/// The exemplar of a bucket: by the index of the family, of the series in it, and of the bucket.
using ExemplarOf = std::function<std::optional<DatedExemplar>(std::size_t, std::size_t, std::size_t)>;

/// The OpenMetrics text format 1.0. A counter's family has its name without `_total`, its series with it. The two
/// counters without that suffix keep their name, which alerts know: their type is told as unknown, since a counter must
/// have it.
std::string openmetrics_text(const std::vector<prometheus::MetricFamily>& families, const ExemplarOf& exemplar_of = {});

}  // namespace spillway::telemetry
