#include "api/endpoints/metrics.hpp"

#include <algorithm>
#include <limits>
#include <ostream>
#include <utility>
#include <vector>

#include <prometheus/text_serializer.h>

namespace api {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

constexpr std::array<std::string_view, 5> kCodeNames{"none", "2xx", "3xx", "4xx", "5xx"};

/// Collects the families of one scrape.
class Page {
 public:
  void family(const char* name, MetricType type, const char* help) { families_.push_back({name, help, type, {}}); }
  template <class Number>
  void add(Number value, Labels labels = {}) {
    MetricFamily& family = families_.back();
    ClientMetric metric;
    metric.label = std::move(labels);
    (family.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = static_cast<double>(value);
    family.metric.push_back(std::move(metric));
  }
  void add(const Histogram& histogram, Labels labels = {}) {
    ClientMetric metric;
    metric.label = std::move(labels);
    std::uint64_t count = 0;
    for (std::size_t i = 0; i <= Histogram::kBounds.size(); ++i) {
      count += histogram.bucket(i);
      const bool last = i == Histogram::kBounds.size();
      metric.histogram.bucket.push_back(
          {count, last ? std::numeric_limits<double>::infinity() : Histogram::kBounds[i]});
    }
    metric.histogram.sample_count = count;
    metric.histogram.sample_sum = histogram.sum();
    families_.back().metric.push_back(std::move(metric));
  }
  template <class Number>
  void single(const char* name, MetricType type, const char* help, Number value) {
    family(name, type, help);
    add(value);
  }
  std::vector<MetricFamily> take() { return std::move(families_); }

 private:
  std::vector<MetricFamily> families_;
};

constexpr auto kGauge = MetricType::Gauge;
constexpr auto kCounter = MetricType::Counter;
constexpr auto kHistogram = MetricType::Histogram;

void add_pool(Page& page, const db::PoolGauges& gauges, const db::PoolCounts& counts) {
  // The names that the proxy exports from the load report, so that dashboards and alerts fit both.
  page.single("database_pool_size", kGauge, "Base connections of the database pool", gauges.size);
  page.single("database_pool_overflow", kGauge, "Open database connections beyond the base ones", gauges.overflow);
  page.single("database_pool_checkedin", kGauge, "Connections that are not in use", gauges.checked_in);
  page.single("database_pool_capacity", kGauge, "Connections that may be open", gauges.capacity);
  page.single("database_pool_waiters", kGauge, "Requests that wait for a connection", gauges.waiters);
  page.single("database_connection_errors", kCounter, "Failed openings and lost connections", gauges.connection_errors);
  page.single("scholarship_api_database_reachable", kGauge, "1 if the database can be reached",
              gauges.reachable ? 1 : 0);
  page.single("scholarship_api_pool_opens_total", kCounter, "Connections opened",
              counts.opened.load(std::memory_order_relaxed));
  page.single("scholarship_api_pool_recycles_total", kCounter, "Connections closed because of pool_recycle",
              counts.recycled.load(std::memory_order_relaxed));
  page.family("scholarship_api_pool_wait_seconds", kHistogram,
              "From the wish for a connection to having one, or to giving up");
  page.add(counts.wait);
  page.family("scholarship_api_pool_failures_total", kCounter, "Requests that got no connection, by cause");
  for (std::size_t i = 0; i < counts.failures.size(); ++i) {
    page.add(counts.failures[i].load(std::memory_order_relaxed),
             {{"cause", std::string(db::name(static_cast<db::CheckoutFailure>(i)))}});
  }
}

}  // namespace

std::string_view name(Endpoint endpoint) {
  constexpr std::array<std::string_view, kCountedEndpoints> kNames{
      "login", "scholarships", "scholarship", "search", "eligibility", "openapi", "health", "ready", "other"};
  return kNames[static_cast<std::size_t>(endpoint)];
}

std::string_view name(LoginOutcome outcome) {
  constexpr std::array<std::string_view, 6> kNames{"", "ok", "wrong", "limited", "busy", "failed"};
  return kNames[static_cast<std::size_t>(outcome)];
}

void Metrics::answered(Endpoint endpoint, int status, Duration took) {
  if (endpoint == Endpoint::admin) return;
  PerEndpoint& of = endpoints_[static_cast<std::size_t>(endpoint)];
  const std::size_t code = status < 200 ? 0 : static_cast<std::size_t>(std::min(status / 100, 5)) - 1;
  of.answers[code].fetch_add(1, std::memory_order_relaxed);
  of.duration.observe(took);
}

void Metrics::logged_in(LoginOutcome outcome) {
  logins_[static_cast<std::size_t>(outcome) - 1].fetch_add(1, std::memory_order_relaxed);
}

void Metrics::configured(std::time_t now, bool pending) {
  configured_ = now;
  restart_pending_ = pending;
  reload_successful_ = true;
}

std::vector<MetricFamily> Metrics::families(const db::PoolGauges& gauges, const db::PoolCounts& counts,
                                            std::uint64_t spans_dropped) const {
  Page page;
  page.family("scholarship_api_requests_total", kCounter, "Requests by endpoint and class of status");
  for (std::size_t i = 0; i < kCountedEndpoints; ++i) {
    for (std::size_t code = 0; code < kCodes; ++code) {
      page.add(endpoints_[i].answers[code].load(std::memory_order_relaxed),
               {{"endpoint", std::string(name(static_cast<Endpoint>(i)))}, {"code", std::string(kCodeNames[code])}});
    }
  }
  page.family("scholarship_api_request_duration_seconds", kHistogram,
              "From the last byte of the request to the last byte of the response");
  for (std::size_t i = 0; i < kCountedEndpoints; ++i) {
    page.add(endpoints_[i].duration, {{"endpoint", std::string(name(static_cast<Endpoint>(i)))}});
  }
  page.family("scholarship_api_logins_total", kCounter, "Logins by outcome");
  for (std::size_t i = 0; i < kLogins; ++i) {
    page.add(logins_[i].load(std::memory_order_relaxed),
             {{"outcome", std::string(name(static_cast<LoginOutcome>(i + 1)))}});
  }
  page.single("scholarship_api_config_last_reload_successful", kGauge,
              "1 unless the last configuration read was refused", reload_successful_ ? 1 : 0);
  page.single("scholarship_api_config_last_reload_timestamp_seconds", kGauge,
              "When a configuration was last taken into use", configured_.load());
  page.single("scholarship_api_config_restart_pending", kGauge,
              "1 while a reload has changed keys that take effect at the next start", restart_pending_ ? 1 : 0);
  page.single("scholarship_api_trace_spans_dropped_total", kCounter,
              "Spans lost because the collector refused them, or was away", spans_dropped);
  add_pool(page, gauges, counts);
  return page.take();
}

std::string Metrics::text(const db::PoolGauges& gauges, const db::PoolCounts& counts,
                          std::uint64_t spans_dropped) const {
  return prometheus::TextSerializer().Serialize(families(gauges, counts, spans_dropped));
}

void print_metrics(std::ostream& out) {
  const db::PoolCounts counts;
  for (const MetricFamily& family : Metrics().families({}, counts, 0)) {
    const bool gauge = family.type == kGauge;
    out << family.name << '\t' << (gauge ? "gauge" : family.type == kCounter ? "counter" : "histogram") << '\t';
    const char* separator = "";
    for (const ClientMetric::Label& label : family.metric.front().label) {
      out << std::exchange(separator, ", ") << label.name;
    }
    out << '\t' << family.help << '\n';
  }
}

}  // namespace api
