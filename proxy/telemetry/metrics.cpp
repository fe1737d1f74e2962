#include "proxy/telemetry/metrics.hpp"

#include <array>
#include <limits>
#include <ostream>

#include <prometheus/text_serializer.h>

namespace spillway::telemetry {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

/// Every metric of the proxy, in the order of the scrape.
enum Id : std::size_t {
  kPoolSize,
  kPoolOverflow,
  kPoolCheckedIn,
  kPoolCapacity,
  kPoolWaiters,
  kConnectionErrors,
  kRequestConcurrency,
  kRejections,
  kRequests,
  kDuration,
  kUpstreamDuration,
  kQueueWait,
  kInflight,
  kQueueLength,
  kConcurrencyLimit,
  kCapacity,
  kShadowRejections,
  kUpstreamConnections,
  kUpstreamConnects,
  kUpstreamConnectFailures,
  kUpstreamRetries,
  kBreakerState,
  kUpstreamHealthy,
  kMaintenance,
  kDraining,
  kReloadSuccessful,
  kReloadTime,
  kRestartPending,
  kBuildInfo,
  kClientConnections,
  kBadRequests,
  kLogLinesDropped,
  kMetrics,
};

struct Declaration {
  const char* name;
  MetricType type;
  const char* labels;
  const char* help;
};

constexpr auto kGauge = MetricType::Gauge;
constexpr auto kCounter = MetricType::Counter;
constexpr auto kHistogram = MetricType::Histogram;

constexpr std::array<Declaration, kMetrics> kDeclarations{{
    {"database_pool_size", kGauge, "", "Base connections of the API's database pool, as the API reports"},
    {"database_pool_overflow", kGauge, "", "Database connections open beyond the base ones"},
    {"database_pool_checkedin", kGauge, "", "Database connections not in use"},
    {"database_pool_capacity", kGauge, "", "Most database connections the API may open"},
    {"database_pool_waiters", kGauge, "", "Requests of the API that wait for a database connection"},
    {"database_connection_errors", kCounter, "", "Database connections the API could not open or lost"},
    {"request_concurrency", kHistogram, "", "Requests in flight towards the API, observed at each admission"},
    {"load_shedding_rejections", kCounter, "reason, class", "Requests refused, by reason and class"},
    {"spillway_requests_total", kCounter, "class, outcome, code", "Requests ended, by class, outcome and status class"},
    {"spillway_request_duration_seconds", kHistogram, "class", "First byte of a request to the end of its response"},
    {"spillway_upstream_duration_seconds", kHistogram, "class", "Request sent to the API to the end of its response"},
    {"spillway_queue_wait_seconds", kHistogram, "class", "Time admitted requests waited for a slot"},
    {"spillway_inflight", kGauge, "", "Requests in flight towards the API"},
    {"spillway_queue_length", kGauge, "", "Requests waiting for a slot"},
    {"spillway_concurrency_limit", kGauge, "", "Requests in flight that are admitted at present"},
    {"spillway_capacity", kGauge, "", "Most requests in flight ever admitted: admission.max_concurrent"},
    {"spillway_shadow_rejections_total", kCounter, "reason, class", "Requests that mode shadow would have refused"},
    {"spillway_upstream_connections", kGauge, "state", "Connections to the API"},
    {"spillway_upstream_connects_total", kCounter, "", "Connections to the API attempted"},
    {"spillway_upstream_connect_failures_total", kCounter, "", "Connections to the API that failed"},
    {"spillway_upstream_retries_total", kCounter, "", "Requests sent a second time"},
    {"spillway_breaker_state", kGauge, "",
     "0 closed, 1 half-open, 2 open: the worst of the breakers of all classes and that for all"},
    {"spillway_upstream_healthy", kGauge, "", "1 when the API answered its last health poll"},
    {"spillway_maintenance", kGauge, "", "1 while maintenance refuses all but critical requests"},
    {"spillway_draining", kGauge, "", "1 once the process has been told to stop"},
    {"spillway_config_last_reload_successful", kGauge, "", "1 unless the last configuration read was refused"},
    {"spillway_config_last_reload_timestamp_seconds", kGauge, "", "When a configuration was last taken into use"},
    {"spillway_config_restart_pending", kGauge, "", "1 while keys of the configuration wait for a restart"},
    {"spillway_build_info", kGauge, "version", "1; the version is in the label"},
    {"spillway_client_connections", kGauge, "", "Client connections open"},
    {"spillway_bad_requests_total", kCounter, "code", "Messages that were no acceptable request, by answer"},
    {"spillway_log_lines_dropped_total", kCounter, "", "Log lines lost because the reader was too slow"},
}};

using Labels = std::vector<ClientMetric::Label>;

class Families {
 public:
  Families() {
    families_.resize(kMetrics);
    for (std::size_t i = 0; i < kMetrics; ++i) {
      families_[i].name = kDeclarations[i].name;
      families_[i].help = kDeclarations[i].help;
      families_[i].type = kDeclarations[i].type;
    }
  }

  void set(Id id, double value, Labels labels = {}) {
    ClientMetric metric;
    metric.label = std::move(labels);
    (families_[id].type == kCounter ? metric.counter.value : metric.gauge.value) = value;
    families_[id].metric.push_back(std::move(metric));
  }
  void set(Id id, bool value) { set(id, value ? 1.0 : 0.0); }

  /// Adds up one histogram of every worker; `unit` is what one exported unit measures in observed ones.
  template <const auto& bounds, class Of>
  void histogram(Id id, const std::vector<const WorkerCounters*>& workers, double unit, Of of, Labels labels = {}) {
    ClientMetric metric;
    metric.label = std::move(labels);
    std::uint64_t count = 0;
    double sum = 0;
    for (std::size_t i = 0; i <= bounds.size(); ++i) {
      for (const WorkerCounters* worker : workers) count += of(*worker).bucket(i);
      const double bound = i < bounds.size() ? bounds[i] / unit : std::numeric_limits<double>::infinity();
      metric.histogram.bucket.push_back({count, bound});
    }
    for (const WorkerCounters* worker : workers) sum += of(*worker).sum();
    metric.histogram.sample_count = count;
    metric.histogram.sample_sum = sum / unit;
    families_[id].metric.push_back(std::move(metric));
  }

  std::vector<MetricFamily> take() { return std::move(families_); }

 private:
  std::vector<MetricFamily> families_;
};

template <class Of>
double sum(const std::vector<const WorkerCounters*>& workers, Of of) {
  std::uint64_t total = 0;
  for (const WorkerCounters* worker : workers) total += of(*worker).value();
  return static_cast<double>(total);
}

/// Outcome and status class pairs that can occur: once a response has begun its status stands, however the request
/// ends. Others are shown only if they did.
bool expected(Outcome outcome, std::size_t code) {
  switch (outcome) {
    case Outcome::ok:
      return code == 2 || code == 3;
    case Outcome::client_error:
      return code == 4;
    case Outcome::shed:
      return code == 4 || code == 5;
    case Outcome::upstream_error:
    case Outcome::timeout:
      return code >= 2;
    case Outcome::aborted:
      return code != 1;
  }
  return false;
}

void collect_class(Families& families, const std::vector<const WorkerCounters*>& workers, const std::string& name,
                   std::size_t index) {
  constexpr double kMillisecondsInASecond = 1000;
  const auto of_class = [index](const WorkerCounters& w) -> const ClassCounters& { return w.classes[index]; };
  for (std::size_t outcome = 0; outcome < kOutcomes; ++outcome) {
    for (std::size_t code = 0; code < kCodes; ++code) {
      const double count =
          sum(workers, [&](const WorkerCounters& w) -> const Counter& { return of_class(w).requests[outcome][code]; });
      if (count == 0 && !expected(static_cast<Outcome>(outcome), code)) continue;
      families.set(kRequests, count,
                   {{"class", name},
                    {"outcome", std::string(telemetry::name(static_cast<Outcome>(outcome)))},
                    {"code", std::string(kCodeNames[code])}});
    }
  }
  for (std::size_t reason = 0; reason < admission::kReasons; ++reason) {
    const Labels labels{{"reason", std::string(admission::name(static_cast<admission::Reason>(reason)))},
                        {"class", name}};
    families.set(
        kRejections,
        sum(workers, [&](const WorkerCounters& w) -> const Counter& { return of_class(w).rejections[reason]; }),
        labels);
    families.set(
        kShadowRejections,
        sum(workers, [&](const WorkerCounters& w) -> const Counter& { return of_class(w).shadow_rejections[reason]; }),
        labels);
  }
  const Labels label{{"class", name}};
  families.histogram<kLatencyBoundsMs>(
      kDuration, workers, kMillisecondsInASecond, [&](const auto& w) -> auto& { return of_class(w).duration; }, label);
  families.histogram<kLatencyBoundsMs>(
      kUpstreamDuration, workers,
      kMillisecondsInASecond, [&](const auto& w) -> auto& { return of_class(w).upstream_duration; }, label);
  families.histogram<kLatencyBoundsMs>(
      kQueueWait, workers, kMillisecondsInASecond, [&](const auto& w) -> auto& { return of_class(w).queue_wait; },
      label);
}

}  // namespace

std::vector<MetricFamily> Metrics::Collect() const {
  Families families;
  const auto& workers = sources_.workers;
  const ProcessState& state = *sources_.state;
  const AdmissionState gate = sources_.admission();

  families.set(kPoolSize, static_cast<double>(gate.load.pool_size));
  families.set(kPoolOverflow, static_cast<double>(gate.load.pool_overflow));
  families.set(kPoolCheckedIn, static_cast<double>(gate.load.pool_checked_in));
  families.set(kPoolCapacity, static_cast<double>(gate.load.pool_capacity));
  families.set(kPoolWaiters, static_cast<double>(gate.load.pool_waiters));
  families.set(kConnectionErrors, static_cast<double>(gate.load.connection_errors));
  families.histogram<kConcurrencyBounds>(
      kRequestConcurrency, workers, 1, [](const auto& w) -> auto& { return w.concurrency; });
  for (std::size_t i = 0; i < sources_.class_names->size(); ++i) {
    collect_class(families, workers, (*sources_.class_names)[i], i);
  }
  families.set(kInflight, static_cast<double>(gate.in_flight));
  families.set(kQueueLength, static_cast<double>(gate.queue_length));
  families.set(kConcurrencyLimit, static_cast<double>(gate.limit));
  families.set(kCapacity, static_cast<double>(gate.capacity));
  families.set(kUpstreamConnections,
               sum(
                   workers, [](const auto& w) -> auto& { return w.upstream_active; }),
               {{"state", "active"}});
  families.set(kUpstreamConnections,
               sum(
                   workers, [](const auto& w) -> auto& { return w.upstream_idle; }),
               {{"state", "idle"}});
  families.set(kUpstreamConnects, sum(
                                      workers, [](const auto& w) -> auto& { return w.upstream_connects; }));
  families.set(kUpstreamConnectFailures,
               sum(
                   workers, [](const auto& w) -> auto& { return w.upstream_connect_failures; }));
  families.set(kUpstreamRetries, sum(
                                     workers, [](const auto& w) -> auto& { return w.upstream_retries; }));
  families.set(kBreakerState, static_cast<double>(gate.breaker));
  families.set(kUpstreamHealthy, state.upstream_healthy.load());
  families.set(kMaintenance, state.maintenance.load());
  families.set(kDraining, state.draining.load());
  families.set(kReloadSuccessful, state.reload_successful.load());
  families.set(kReloadTime, static_cast<double>(state.reload_time.load()));
  families.set(kRestartPending, state.restart_pending.load());
  families.set(kBuildInfo, 1.0, {{"version", sources_.version}});
  families.set(kClientConnections, sum(
                                       workers, [](const auto& w) -> auto& { return w.client_connections; }));
  for (std::size_t i = 0; i < kBadRequestCodes.size(); ++i) {
    families.set(kBadRequests,
                 sum(
                     workers, [i](const auto& w) -> auto& { return w.bad_requests[i]; }),
                 {{"code", std::to_string(kBadRequestCodes[i])}});
  }
  families.set(kLogLinesDropped, static_cast<double>(sources_.log_lines_dropped()));
  return families.take();
}

std::string Metrics::text() const {
  return prometheus::TextSerializer().Serialize(Collect());
}

void print_declarations(std::ostream& out) {
  for (const Declaration& d : kDeclarations) {
    const char* type = d.type == kGauge ? "gauge" : d.type == kCounter ? "counter" : "histogram";
    out << d.name << '\t' << type << '\t' << d.labels << '\t' << d.help << '\n';
  }
}

}  // namespace spillway::telemetry
