#include "proxy/telemetry/metrics.hpp"

#include <array>
#include <limits>
#include <ostream>

#include <prometheus/text_serializer.h>

#include "proxy/telemetry/openmetrics.hpp"
#include "proxy/telemetry/sum.hpp"

namespace spillway::telemetry {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

constexpr double kMillisecondsInASecond = 1000;

/// What one scrape reads.
struct Reading {
  const MetricSources& sources;
  const AdmissionState admission;
  const ProcessState& process;
  const ProcessUse use;
};

/// Collects the series of one metric.
class Series {
 public:
  Series(MetricFamily& family, const Reading& reading) : family_(family), reading_(reading) {}

  template <class Number>
  void add(Number value, Labels labels = {}) {
    ClientMetric metric;
    metric.label = std::move(labels);
    (family_.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = static_cast<double>(value);
    family_.metric.push_back(std::move(metric));
  }
  /// The sum over all workers, see `sum`.
  template <class Which>
  void add_sum(Which which, Labels labels = {}) {
    add(sum(reading_.sources.workers, which), std::move(labels));
  }
  /// A histogram, summed over all workers. `unit`: how many observed units make one exported unit.
  template <const auto& bounds, class Of>
  void add_histogram(Of of, double unit, Labels labels = {}) {
    ClientMetric metric;
    metric.label = std::move(labels);
    std::uint64_t count = 0;
    double total = 0;
    for (std::size_t i = 0; i <= bounds.size(); ++i) {
      for (const WorkerCounters* worker : reading_.sources.workers) count += of(*worker).bucket(i);
      const double bound = i < bounds.size() ? bounds[i] / unit : std::numeric_limits<double>::infinity();
      metric.histogram.bucket.push_back({count, bound});
    }
    for (const WorkerCounters* worker : reading_.sources.workers) total += of(*worker).sum();
    metric.histogram.sample_count = count;
    metric.histogram.sample_sum = total / unit;
    family_.metric.push_back(std::move(metric));
  }

 private:
  MetricFamily& family_;
  const Reading& reading_;
};

template <class Each>
void for_each_class(const Reading& now, Each each) {
  const std::vector<std::string>& names = *now.sources.class_names;
  for (std::size_t i = 0; i < names.size(); ++i) each(names[i], i);
}

template <auto member>
void latency_by_class(Series& series, const Reading& now) {
  for_each_class(now, [&](const std::string& name, std::size_t i) {
    const auto of = [i](const WorkerCounters& w) -> auto& {
      return w.classes[i].*member;
    };
    series.add_histogram<kLatencyBoundsMs>(of, kMillisecondsInASecond, {{"class", name}});
  });
}

template <std::array<Counter, admission::kReasons> ClassCounters::*member>
void refusals_by_reason(Series& series, const Reading& now) {
  for_each_class(now, [&](const std::string& name, std::size_t i) {
    for (std::size_t reason = 0; reason < admission::kReasons; ++reason) {
      const auto of = [=](const WorkerCounters& w) -> auto& {
        return (w.classes[i].*member)[reason];
      };
      const std::string_view reason_name = admission::name(static_cast<admission::Reason>(reason));
      series.add_sum(of, {{"reason", std::string(reason_name)}, {"class", name}});
    }
  });
}

/// The pairs of outcome and status class that can occur. The status of a response that has begun stays, however the
/// request ends. Another pair is exported only if it has occurred.
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

void requests_by_outcome(Series& series, const Reading& now) {
  for_each_class(now, [&](const std::string& name, std::size_t i) {
    for (std::size_t outcome = 0; outcome < kOutcomes; ++outcome) {
      for (std::size_t code = 0; code < kCodes; ++code) {
        const std::uint64_t count = sum(now.sources.workers, [&](const WorkerCounters& worker) -> const Counter& {
          return worker.classes[i].requests[outcome][code];
        });
        if (count == 0 && !expected(static_cast<Outcome>(outcome), code)) continue;
        series.add(count, {{"class", name},
                           {"outcome", std::string(config::name(static_cast<Outcome>(outcome)))},
                           {"code", std::string(kCodeNames[code])}});
      }
    }
  });
}

/// The youngest of all workers, of a class and a bucket.
template <RequestHistogram ClassCounters::*member>
std::optional<Exemplar> youngest_exemplar(const MetricSources& sources, std::size_t of_class, std::size_t bucket) {
  std::optional<Exemplar> youngest;
  for (const WorkerCounters* worker : sources.workers) {
    const auto found = (worker->classes[of_class].*member).exemplar(bucket);
    if (found && (!youngest || youngest->at < found->at)) youngest = found;
  }
  return youngest;
}

struct Metric {
  const char* name;
  MetricType type;
  const char* labels;
  const char* help;
  void (*collect)(Series& series, const Reading& now);
  /// Of a bucket of the series with this index; null: it has none.
  std::optional<Exemplar> (*exemplar)(const MetricSources& sources, std::size_t series, std::size_t bucket) = nullptr;
};

constexpr auto kGauge = MetricType::Gauge;
constexpr auto kCounter = MetricType::Counter;
constexpr auto kHistogram = MetricType::Histogram;

/// All metrics of the proxy in the order of the scrape: the declaration, and how to read the value.
constexpr Metric kMetrics[] = {
    {"database_pool_size", kGauge, "", "Open base connections of the API's database pool, as the API reports them",
     [](Series& s, const Reading& now) { s.add(now.admission.load.pool_size); }},
    {"database_pool_overflow", kGauge, "", "Open database connections beyond the base ones",
     [](Series& s, const Reading& now) { s.add(now.admission.load.pool_overflow); }},
    {"database_pool_checkedin", kGauge, "", "Database connections not in use",
     [](Series& s, const Reading& now) { s.add(now.admission.load.pool_checked_in); }},
    {"database_pool_capacity", kGauge, "", "Greatest number of database connections that the API may open",
     [](Series& s, const Reading& now) { s.add(now.admission.load.pool_capacity); }},
    {"database_pool_waiters", kGauge, "", "Requests of the API that wait for a database connection",
     [](Series& s, const Reading& now) { s.add(now.admission.load.pool_waiters); }},
    {"database_connection_errors", kCounter, "", "Database connections that the API could not open, or lost",
     [](Series& s, const Reading& now) { s.add(now.admission.connection_errors); }},
    {"request_concurrency", kHistogram, "", "Requests in flight towards the API, observed at each admission",
     [](Series& s, const Reading&) {
       s.add_histogram<kConcurrencyBounds>(
           [](const WorkerCounters& w) -> auto& { return w.concurrency; }, 1);
     }},
    {"load_shedding_rejections", kCounter, "reason, class", "Requests refused, by reason and class",
     refusals_by_reason<&ClassCounters::rejections>},
    {"spillway_requests_total", kCounter, "class, outcome, code", "Requests ended, by class, outcome and status class",
     requests_by_outcome},
    {"spillway_request_duration_seconds", kHistogram, "class",
     "Time from the first byte of a request to the end of its response", latency_by_class<&ClassCounters::duration>,
     youngest_exemplar<&ClassCounters::duration>},
    {"spillway_served_duration_seconds", kHistogram, "class",
     "The same, only of requests that the API answered below 500; streams are left out",
     latency_by_class<&ClassCounters::served_duration>, youngest_exemplar<&ClassCounters::served_duration>},
    {"spillway_upstream_failures_total", kCounter, "cause",
     "Requests that the API failed, by cause: a 5xx status, or what kept its answer away",
     [](Series& s, const Reading&) {
       for (std::size_t i = 0; i < kFailureCauses.size(); ++i) {
         s.add_sum([i](const WorkerCounters& w) -> auto& { return w.failures[i]; },
                   {{"cause", std::string(kFailureCauses[i])}});
       }
     }},
    {"spillway_upstream_duration_seconds", kHistogram, "class",
     "Time from sending a request to the API to the end of its response, or until it was given up",
     latency_by_class<&ClassCounters::upstream_duration>},
    {"spillway_queue_wait_seconds", kHistogram, "class", "Time that admitted requests waited for a slot",
     latency_by_class<&ClassCounters::queue_wait>},
    {"spillway_inflight", kGauge, "", "Requests in flight towards the API",
     [](Series& s, const Reading& now) { s.add(now.admission.in_flight); }},
    {"spillway_streams", kGauge, "", "Tunnels and event streams open; they hold no slot",
     [](Series& s, const Reading& now) { s.add(now.admission.streams); }},
    {"spillway_queue_length", kGauge, "", "Requests waiting for a slot",
     [](Series& s, const Reading& now) { s.add(now.admission.queue_length); }},
    {"spillway_concurrency_limit", kGauge, "", "Requests in flight that are admitted at most at present",
     [](Series& s, const Reading& now) { s.add(now.admission.limit); }},
    {"spillway_capacity", kGauge, "", "Requests in flight that are ever admitted at most: admission.max_concurrent",
     [](Series& s, const Reading& now) { s.add(now.admission.capacity); }},
    {"spillway_shadow_rejections_total", kCounter, "reason, class", "Requests that mode shadow would have refused",
     refusals_by_reason<&ClassCounters::shadow_rejections>},
    {"spillway_upstream_connections", kGauge, "state", "Connections to the API",
     [](Series& s, const Reading&) {
       s.add_sum(&WorkerCounters::upstream_active, {{"state", "active"}});
       s.add_sum(&WorkerCounters::upstream_idle, {{"state", "idle"}});
     }},
    {"spillway_upstream_connects_total", kCounter, "",
     "Connects to the API begun for requests, one for each address that is tried",
     [](Series& s, const Reading&) { s.add_sum(&WorkerCounters::upstream_connects); }},
    {"spillway_upstream_connect_failures_total", kCounter, "",
     "Connects that failed: refused, cut, without TLS, or silent until another address had answered or time was over",
     [](Series& s, const Reading&) { s.add_sum(&WorkerCounters::upstream_connect_failures); }},
    {"spillway_upstream_retries_total", kCounter, "", "Requests sent a second time",
     [](Series& s, const Reading&) { s.add_sum(&WorkerCounters::upstream_retries); }},
    {"spillway_breaker_state", kGauge, "",
     "0 closed, 1 half-open, 2 open: the worst of the breakers of all classes and that for all",
     [](Series& s, const Reading& now) { s.add(now.admission.breaker); }},
    {"spillway_upstream_healthy", kGauge, "", "1 when the API answered its last health poll",
     [](Series& s, const Reading& now) { s.add(now.process.upstream_healthy.load()); }},
    {"spillway_maintenance", kGauge, "", "1 while maintenance refuses all but critical requests",
     [](Series& s, const Reading& now) { s.add(now.process.maintenance.load()); }},
    {"spillway_draining", kGauge, "", "1 once the process has been told to stop",
     [](Series& s, const Reading& now) { s.add(now.process.draining.load()); }},
    {"spillway_config_last_reload_successful", kGauge, "", "1 unless the last configuration read was refused",
     [](Series& s, const Reading& now) { s.add(now.process.reload_successful.load()); }},
    {"spillway_config_last_reload_timestamp_seconds", kGauge, "", "When a configuration was last taken into use",
     [](Series& s, const Reading& now) { s.add(now.process.reload_time.load()); }},
    {"spillway_config_restart_pending", kGauge, "", "1 while keys of the configuration wait for a restart",
     [](Series& s, const Reading& now) { s.add(now.process.restart_pending.load()); }},
    {"spillway_io_uring", kGauge, "", "1 while workers read and send by io_uring; 0: by epoll alone",
     [](Series& s, const Reading& now) { s.add(now.process.io_uring.load()); }},
    {"spillway_build_info", kGauge, "version", "1; the version is in the label",
     [](Series& s, const Reading& now) {
       s.add(1, {{"version", now.sources.version}});
     }},
    {"spillway_client_connections", kGauge, "", "Client connections open",
     [](Series& s, const Reading&) { s.add_sum(&WorkerCounters::client_connections); }},
    {"spillway_bad_requests_total", kCounter, "code", "Messages that were refused as invalid requests, by status",
     [](Series& s, const Reading&) {
       for (std::size_t i = 0; i < kBadRequestCodes.size(); ++i) {
         s.add_sum([i](const WorkerCounters& w) -> auto& { return w.bad_requests[i]; },
                   {{"code", std::to_string(kBadRequestCodes[i])}});
       }
     }},
    {"spillway_bytes_total", kCounter, "direction",
     "Bytes of bodies and tunnels, in from clients and out to them; counted when a request ends",
     [](Series& s, const Reading&) {
       s.add_sum(&WorkerCounters::bytes_in, {{"direction", "in"}});
       s.add_sum(&WorkerCounters::bytes_out, {{"direction", "out"}});
     }},
    {"spillway_event_loop_lag_seconds", kHistogram, "", "How late the event loops run a timer that is due",
     [](Series& s, const Reading&) {
       s.add_histogram<kLagBoundsMs>(
           [](const WorkerCounters& w) -> auto& { return w.loop_lag; }, kMillisecondsInASecond);
     }},
    {"process_cpu_seconds_total", kCounter, "", "Processor time used, in user and kernel",
     [](Series& s, const Reading& now) { s.add(now.use.cpu_seconds); }},
    {"process_resident_memory_bytes", kGauge, "", "Resident memory",
     [](Series& s, const Reading& now) { s.add(now.use.resident_bytes); }},
    {"process_open_fds", kGauge, "", "Descriptors open",
     [](Series& s, const Reading& now) { s.add(now.use.open_descriptors); }},
    {"process_max_fds", kGauge, "", "Descriptors that may be open at most",
     [](Series& s, const Reading& now) { s.add(now.use.most_descriptors); }},
    {"process_start_time_seconds", kGauge, "", "When the process started",
     [](Series& s, const Reading& now) { s.add(now.use.started); }},
    {"spillway_trace_spans_dropped_total", kCounter, "", "Spans lost because the collector refused them, or was away",
     [](Series& s, const Reading& now) {
       s.add(now.sources.trace_spans_dropped ? now.sources.trace_spans_dropped() : 0);
     }},
    {"spillway_http_requests_total", kCounter, "protocol", "Requests parsed, by the version of HTTP of the client",
     [](Series& s, const Reading&) {
       for (std::size_t i = 0; i < kProtocols; ++i) {
         s.add_sum([i](const WorkerCounters& w) -> auto& { return w.protocols[i]; },
                   {{"protocol", std::string(name(static_cast<Protocol>(i)))}});
       }
     }},
    {"spillway_http2_abuse_total", kCounter, "kind",
     "HTTP/2 connections closed because of what their clients did too often, or against the protocol",
     [](Series& s, const Reading&) {
       for (std::size_t i = 0; i < http2::kAbuseKinds; ++i) {
         s.add_sum([i](const WorkerCounters& w) -> auto& { return w.http2_abuse[i]; },
                   {{"kind", std::string(http2::kAbuseNames[i])}});
       }
     }},
    {"spillway_tls_handshakes_total", kCounter, "result, version", "TLS handshakes of clients that have ended",
     [](Series& s, const Reading&) {
       for (std::size_t i = 0; i < kHandshakeLabels.size(); ++i) {
         s.add_sum([i](const WorkerCounters& w) -> auto& { return w.tls_handshakes[i]; },
                   {{"result", std::string(kHandshakeLabels[i].result)},
                    {"version", std::string(kHandshakeLabels[i].version)}});
       }
     }},
    {"spillway_tls_certificate_expiry_seconds", kGauge, "certificate",
     "When a certificate in use expires, in seconds since 1970, by its file; no series without TLS",
     [](Series& s, const Reading& now) {
       if (!now.sources.certificates) return;
       for (const auto& [file, expires] : now.sources.certificates()) s.add(expires, {{"certificate", file}});
     }},
    {"spillway_log_lines_dropped_total", kCounter, "", "Log lines lost because the reader was too slow",
     [](Series& s, const Reading& now) { s.add(now.sources.log_lines_dropped()); }},
};

}  // namespace

std::vector<MetricFamily> Metrics::Collect() const {
  const Reading now{sources_, sources_.admission(), *sources_.state, sources_.process_use()};
  std::vector<MetricFamily> families;
  families.reserve(std::size(kMetrics));
  for (const Metric& metric : kMetrics) {
    MetricFamily& family = families.emplace_back();
    family.name = metric.name;
    family.help = metric.help;
    family.type = metric.type;
    Series series(family, now);
    metric.collect(series, now);
  }
  return families;
}

std::string Metrics::text() const {
  return prometheus::TextSerializer().Serialize(Collect());
}

std::string Metrics::openmetrics(Time now, std::chrono::system_clock::time_point date) const {
  return openmetrics_text(Collect(), [&](std::size_t family, std::size_t series, std::size_t bucket) {
    std::optional<DatedExemplar> dated;
    const auto exemplar_of = kMetrics[family].exemplar;
    const auto found = exemplar_of == nullptr ? std::nullopt : exemplar_of(sources_, series, bucket);
    if (!found) return dated;
    const auto at = date - std::chrono::duration_cast<std::chrono::system_clock::duration>(now - found->at);
    const auto milliseconds = std::chrono::floor<std::chrono::milliseconds>(at.time_since_epoch()).count();
    dated.emplace();
    dated->trace_id = std::string(found->trace_id.data(), found->trace_id.size());
    dated->value = found->value / kMillisecondsInASecond;
    dated->date = static_cast<double>(milliseconds) / kMillisecondsInASecond;
    return dated;
  });
}

void print_declarations(std::ostream& out) {
  for (const Metric& m : kMetrics) {
    const char* type = m.type == kGauge ? "gauge" : m.type == kCounter ? "counter" : "histogram";
    out << m.name << '\t' << type << '\t' << m.labels << '\t' << m.help << '\n';
  }
}

}  // namespace spillway::telemetry
