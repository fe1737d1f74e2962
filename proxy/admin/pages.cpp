#include "proxy/admin/pages.hpp"

#include <numeric>

#include <fmt/format.h>

#include "proxy/admin/history_json.hpp"
#include "proxy/admin/status_page.hpp"

namespace spillway::admin {

namespace {

constexpr const char* kText = "text/plain; charset=utf-8";
constexpr const char* kJson = "application/json";

template <class Of>
std::uint64_t sum(const telemetry::MetricSources& values, Of of) {
  std::uint64_t total = 0;
  for (const telemetry::WorkerCounters* worker : values.workers) total += of(*worker).value();
  return total;
}

/// Readiness says whether a request would reach the API. Load never makes it false: taking a busy instance
/// out of service moves its load to the others.
Page ready(const telemetry::ProcessState& state) {
  if (state.draining) return {503, kText, "draining\n"};
  if (!state.upstream_healthy) return {503, kText, "the API is unreachable\n"};
  return {200, kText, "ready\n"};
}

/// Why admission decides as it does at the moment.
std::string control(const admission::Snapshot& now) {
  const auto ms = [](Duration d) { return std::chrono::duration<double, std::milli>(d).count(); };
  std::string classes;
  for (const auto& c : now.classes) {
    classes += fmt::format(
        R"({}{{"name":"{}","share":{},"reserve":{},"in_flight":{},"waiting":{},"newest_first":{},"service_ms":{:.3f},)"
        R"("estimated_wait_ms":{:.3f},"api_sheds":{},"breaker_state":"{}","breaker_remaining_ms":{:.0f},)"
        R"("breaker_ramp":{:.3f}}})",
        classes.empty() ? "" : ",", c.name, c.share, c.reserve, c.in_flight, c.waiting, c.overloaded,
        ms(c.service_time), ms(c.estimated_wait), c.api_sheds, name(c.breaker), ms(c.breaker_remaining),
        c.breaker_admission);
  }
  return fmt::format(
      R"({{"mode":"{}","baseline_ms":{:.3f},"latency_p90_ms":{:.3f},"pool_capacity_pct":{:.1f},"clients":{},)"
      R"("retry_after_level_seconds":{:.1f},"breaker_state":"{}","reach_breaker_state":"{}",)"
      R"("breaker_remaining_ms":{:.0f},"breaker_ramp":{:.3f},"classes":[{}]}})",
      name(now.mode), 1000 * now.baseline_seconds, 1000 * now.latency_seconds, now.pool_capacity_pct, now.keys,
      now.retry_after_seconds, name(now.breaker), name(now.reach_breaker), ms(now.breaker_remaining),
      now.breaker_admission, classes);
}

std::string stats(const PageSources& sources) {
  const telemetry::MetricSources& values = sources.values;
  const telemetry::AdmissionState admission = values.admission();
  const telemetry::ProcessState& state = *values.state;
  using Counters = telemetry::WorkerCounters;
  const double age = admission.load_at ? std::chrono::duration<double>(Clock::now() - *admission.load_at).count() : -1;
  return fmt::format(
      R"({{"version":"{}","draining":{},"maintenance":{},"config":{{"refused":{},"restart_pending":{}}},)"
      R"("upstream":{{"healthy":{},"breaker":{},"active":{},"idle":{}}},)"
      R"("requests":{{"parsed":{},"answered_by_api":{},"answered_by_proxy":{},"aborted":{}}},)"
      R"("admission":{{"in_flight":{},"queue_length":{},"limit":{},"capacity":{}}},)"
      R"("pool":{{"size":{},"overflow":{},"checked_in":{},"capacity":{},"waiters":{},"report_age_seconds":{:.3f}}},)"
      R"("client_connections":{},"buffered_bytes":{},"control":{}}})"
      "\n",
      values.version, state.draining.load(), state.maintenance.load(), !state.reload_successful.load(),
      state.restart_pending.load(), state.upstream_healthy.load(), admission.breaker,
      sum(
          values, [](const Counters& c) -> auto& { return c.upstream_active; }),
      sum(
          values, [](const Counters& c) -> auto& { return c.upstream_idle; }),
      sum(
          values, [](const Counters& c) -> auto& { return c.parsed; }),
      sum(
          values, [](const Counters& c) -> auto& { return c.answered_by_api; }),
      sum(
          values, [](const Counters& c) -> auto& { return c.answered_by_proxy; }),
      sum(
          values, [](const Counters& c) -> auto& { return c.aborted; }),
      admission.in_flight, admission.queue_length, admission.limit, admission.capacity, admission.load.pool_size,
      admission.load.pool_overflow, admission.load.pool_checked_in, admission.load.pool_capacity,
      admission.load.pool_waiters, age,
      sum(
          values, [](const Counters& c) -> auto& { return c.client_connections; }),
      values.buffered_bytes(), control(sources.admission()));
}

/// Samples that the status page fetches every second: enough to miss some.
constexpr std::size_t kLatest = 10;

}  // namespace

Server::Pages pages(PageSources sources) {
  Server::Pages pages;
  pages["/"] = [] { return Page{200, "text/html; charset=utf-8", std::string(kStatusPage)}; };
  pages["/metrics"] = [metrics = sources.metrics] {
    return Page{200, "text/plain; version=0.0.4; charset=utf-8", metrics->text()};
  };
  pages["/health"] = [] { return Page{200, kText, "alive\n"}; };
  pages["/ready"] = [state = sources.values.state] { return ready(*state); };
  pages["/config"] = [config = sources.effective_config] { return Page{200, "application/yaml", config()}; };
  pages["/stats"] = [sources] { return Page{200, kJson, stats(sources)}; };
  const auto history = [sources](std::size_t count) {
    return Page{200, kJson, history_json(*sources.history, *sources.refusals, *sources.values.class_names, count)};
  };
  pages["/stats/history"] = [history] { return history(telemetry::History::kSamples); };
  pages["/stats/latest"] = [history] { return history(kLatest); };
  return pages;
}

}  // namespace spillway::admin
