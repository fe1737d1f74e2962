#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include <prometheus/metric_family.h>

#include "api/db/histogram.hpp"
#include "api/db/pool.hpp"
#include "api/endpoints/http.hpp"

namespace api {

/// What a request was for: a label of the metrics.
enum class Endpoint : std::uint8_t {
  login,
  scholarships,
  scholarship,
  search,
  eligibility,
  openapi,
  health,
  ready,
  other,  ///< no route, or not read to its end
  admin,  ///< of the admin listener: not counted
};
inline constexpr std::size_t kCountedEndpoints = static_cast<std::size_t>(Endpoint::admin);
std::string_view name(Endpoint endpoint);
/// Not of `none`.
std::string_view name(LoginOutcome outcome);

/// The counts of the process for its own `/metrics`. Thread-safe.
class Metrics {
 public:
  /// `status` 0: the client had gone before the answer.
  void answered(Endpoint endpoint, int status, Duration took);
  void logged_in(LoginOutcome outcome);
  /// A configuration is in use, at the start and after a reload. `pending`: parts of it wait for the next start.
  void configured(std::time_t now, bool pending);
  /// A reload was refused: the configuration before stays in use.
  void reload_refused() { reload_successful_ = false; }

  /// In the text format of Prometheus. Every series exists from the start. `spans_dropped`: those lost so far.
  std::string text(const db::PoolGauges& gauges, const db::PoolCounts& counts, std::uint64_t spans_dropped) const;

  /// The same, as families.
  std::vector<prometheus::MetricFamily> families(const db::PoolGauges& gauges, const db::PoolCounts& counts,
                                                 std::uint64_t spans_dropped) const;

 private:
  static constexpr std::size_t kCodes = 5;  ///< gone, 2xx, 3xx, 4xx, 5xx
  static constexpr std::size_t kLogins = 5;
  using Count = std::atomic<std::uint64_t>;

  struct PerEndpoint {
    std::array<Count, kCodes> answers{};
    Histogram duration;
  };
  std::array<PerEndpoint, kCountedEndpoints> endpoints_;
  std::array<Count, kLogins> logins_{};
  std::atomic<bool> reload_successful_{true}, restart_pending_{false};
  std::atomic<std::time_t> configured_{0};
};

/// One line for each metric: name, type, labels, help; separated by tabs.
void print_metrics(std::ostream& out);

}  // namespace api
