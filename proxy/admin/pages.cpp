#include "proxy/admin/pages.hpp"

#include <array>

#include "proxy/admin/history_json.hpp"
#include "proxy/admin/status_page.hpp"
#include "proxy/telemetry/openmetrics.hpp"
#include "proxy/telemetry/sum.hpp"
#include "proxy/text/json.hpp"

namespace spillway::admin {

namespace {

constexpr const char* kText = "text/plain; charset=utf-8";
constexpr const char* kJson = "application/json";

/// Ready: a request would reach the API. Load never makes an instance unready: its load would move to the others.
Page ready(const telemetry::ProcessState& state) {
  if (state.draining) return {503, kText, "draining\n"};
  if (state.upstream_unresolved) return {503, kText, "the API's name cannot be resolved\n"};
  if (!state.upstream_healthy) return {503, kText, "the API is unreachable\n" + state.last_poll + "\n"};
  return {200, kText, "ready\n"};
}

double milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

double seconds_since(Time time) {
  return std::chrono::duration<double>(Clock::now() - time).count();
}

void write_class(text::JsonWriter& json, const admission::Snapshot::Class& c) {
  json.begin_object().member("name", std::string_view(c.name)).member("share", c.share).member("reserve", c.reserve);
  json.member("max_concurrent", c.max_concurrent).member("database_share", c.database_share, 2);
  json.member("in_flight", c.in_flight).member("waiting", c.waiting).member("newest_first", c.overloaded);
  json.member("service_ms", milliseconds(c.service_time), 3);
  json.member("estimated_wait_ms", milliseconds(c.estimated_wait), 3);
  json.member("api_sheds", c.api_sheds).member("breaker_state", name(c.breaker));
  json.member("breaker_remaining_ms", milliseconds(c.breaker_remaining), 0);
  json.member("breaker_ramp", c.breaker_admission, 3).end_object();
}

/// The numbers behind the decisions of admission.
void write_control(text::JsonWriter& json, const admission::Snapshot& now) {
  json.begin_object()
      .member("mode", name(now.mode))
      .member("elsewhere", now.elsewhere)
      .member("baseline_ms", 1000 * now.baseline_seconds, 3);
  json.member("latency_ms", 1000 * now.latency_seconds, 3);
  json.member("pool_capacity_pct", now.pool_capacity_pct, 1).member("clients", now.keys);
  json.member("retry_after_level_seconds", now.retry_after_seconds, 1).member("breaker_state", name(now.breaker));
  json.member("reach_breaker_state", name(now.reach_breaker));
  json.member("breaker_remaining_ms", milliseconds(now.breaker_remaining), 0);
  json.member("breaker_ramp", now.breaker_admission, 3).key("classes").begin_array();
  for (const admission::Snapshot::Class& c : now.classes) write_class(json, c);
  json.end_array().end_object();
}

void write_advice(text::JsonWriter& json, const admission::SizedAdvice& sized) {
  constexpr std::array<std::string_view, 3> kKinds{"not_enough", "at_least", "found"};
  const admission::Advice& advice = sized.advice;
  json.begin_object().member("kind", kKinds[static_cast<std::size_t>(advice.kind)]).member("slots", advice.slots);
  json.member("most_in_flight", advice.most).member("answers_per_second", advice.throughput, 1);
  json.member("service_ms", 1000 * advice.service, 3).member("thrashes", advice.thrashes);
  json.member("max_concurrent", admission::max_concurrent_for(advice.slots, sized.now.shed_at));
  json.key("lines").begin_array();
  for (const std::string& line : admission::in_words(advice, sized.now)) json.value(std::string_view(line));
  json.end_array().end_object();
}

void write_pool(text::JsonWriter& json, const telemetry::AdmissionState& admission) {
  const admission::LoadReport& load = admission.load;
  const double age = admission.load_at ? seconds_since(*admission.load_at) : -1;
  json.begin_object().member("size", load.pool_size).member("overflow", load.pool_overflow);
  json.member("checked_in", load.pool_checked_in).member("capacity", load.pool_capacity);
  json.member("waiters", load.pool_waiters).member("report_age_seconds", age, 3).end_object();
}

std::string stats(const PageSources& sources) {
  const telemetry::MetricSources& values = sources.values;
  const telemetry::AdmissionState admission = values.admission();
  const telemetry::ProcessState& state = *values.state;
  using Counters = telemetry::WorkerCounters;
  std::string out;
  text::JsonWriter json(out);
  const auto count = [&](std::string_view key, telemetry::Counter Counters::*member) {
    json.member(key, sum(values.workers, member));
  };
  json.begin_object().member("version", std::string_view(values.version)).member("draining", state.draining.load());
  json.member("maintenance", state.maintenance.load());
  json.member("instance", std::string_view(sources.identity.instance));
  json.member("uptime_seconds", seconds_since(sources.identity.started), 0);
  json.key("config").begin_object().member("refused", !state.reload_successful.load());
  json.member("loaded_at", state.reload_time.load()).member("last_change", std::string_view(state.last_change));
  json.member("restart_pending", state.restart_pending.load());
  json.member("waiting", std::string_view(state.waiting)).end_object();
  json.key("upstream").begin_object().member("healthy", state.upstream_healthy.load());
  json.member("last_poll", std::string_view(state.last_poll));
  json.member("last_poll_age_seconds", state.polled ? seconds_since(*state.polled) : -1, 3);
  json.member("address", std::string_view(sources.identity.upstream));
  json.member("addresses", std::string_view(sources.addresses()));
  json.member("breaker", admission.breaker);
  count("active", &Counters::upstream_active);
  count("idle", &Counters::upstream_idle);
  json.end_object().key("requests").begin_object();
  count("parsed", &Counters::parsed);
  count("answered_by_api", &Counters::answered_by_api);
  count("answered_by_proxy", &Counters::answered_by_proxy);
  count("aborted", &Counters::aborted);
  json.end_object().key("admission").begin_object().member("in_flight", admission.in_flight);
  json.member("streams", admission.streams)
      .member("queue_length", admission.queue_length)
      .member("limit", admission.limit);
  json.member("capacity", admission.capacity).end_object().key("pool");
  write_pool(json, admission);
  count("client_connections", &Counters::client_connections);
  count("http2_memory_bytes", &Counters::http2_memory);
  json.member("buffered_bytes", values.buffered_bytes()).key("control");
  write_control(json, sources.admission());
  json.key("advice");
  write_advice(json, sources.advice());
  json.end_object();
  return out += '\n';
}

/// Samples that the status page fetches each second. More than one, in case it missed some.
constexpr std::size_t kLatest = 10;

}  // namespace

Server::Pages pages(PageSources sources) {
  Server::Pages pages;
  pages["/"] = [](const Asked&) {
    return Page{200, "text/html; charset=utf-8", std::string(kStatusPage), kStatusPagePolicy};
  };
  pages["/metrics"] = [metrics = sources.metrics](const Asked& asked) {
    if (telemetry::prefers_openmetrics(asked.accept)) {
      return Page{200, std::string(telemetry::kOpenMetrics),
                  metrics->openmetrics(Clock::now(), std::chrono::system_clock::now())};
    }
    return Page{200, "text/plain; version=0.0.4; charset=utf-8", metrics->text()};
  };
  pages["/health"] = [](const Asked&) { return Page{200, kText, "alive\n"}; };
  pages["/ready"] = [state = sources.values.state](const Asked&) { return ready(*state); };
  pages["/config"] = [config = sources.effective_config](const Asked&) {
    return Page{200, "application/yaml", config()};
  };
  pages["/stats"] = [sources](const Asked&) { return Page{200, kJson, stats(sources)}; };
  pages["/advice"] = [advice = sources.advice](const Asked&) {
    const admission::SizedAdvice sized = advice();
    std::string text;
    for (const std::string& line : admission::in_words(sized.advice, sized.now)) text += line + '\n';
    return Page{200, kText, std::move(text)};
  };
  const auto history = [sources](std::size_t count) {
    return Page{200, kJson, history_json(*sources.history, *sources.refusals, *sources.values.class_names, count)};
  };
  pages["/stats/history"] = [history](const Asked&) { return history(telemetry::History::kSamples); };
  pages["/stats/latest"] = [history](const Asked&) { return history(kLatest); };
  return pages;
}

}  // namespace spillway::admin
