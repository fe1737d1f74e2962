#include "proxy/admin/history_json.hpp"

#include <algorithm>

#include "proxy/text/json.hpp"

namespace spillway::admin {

namespace {

using Sample = telemetry::History::Sample;

class Columns {
 public:
  Columns(text::JsonWriter& json, const std::deque<Sample>& samples, std::size_t count)
      : json_(json),
        begin_(samples.end() - static_cast<std::ptrdiff_t>(std::min(count, samples.size()))),
        end_(samples.end()) {}

  template <class Of>
  void add(std::string_view name, Of of) {
    json_.key(name).begin_array();
    for (auto sample = begin_; sample != end_; ++sample) write(of(*sample));
    json_.end_array();
  }

  /// An object with one column for each name.
  template <class Of>
  void group(std::string_view name, const std::vector<std::string>& names, Of of) {
    json_.key(name).begin_object();
    for (std::size_t i = 0; i < names.size(); ++i) {
      add(names[i], [&](const Sample& s) { return of(s, i); });
    }
    json_.end_object();
  }

 private:
  void write(std::int64_t number) { json_.value(number); }
  void write(std::uint32_t number) { json_.value(std::int64_t{number}); }
  void write(int number) { json_.value(number); }
  void write(float number) { json_.value(number, 3); }

  text::JsonWriter& json_;
  std::deque<Sample>::const_iterator begin_, end_;
};

int pool_percent(const telemetry::AdmissionState& admission) {
  if (!admission.load_at || admission.load.pool_capacity <= 0) return -1;
  return static_cast<int>(100 * admission.load.pool_in_use() / admission.load.pool_capacity);
}

void write_refusals(text::JsonWriter& json, const telemetry::Refusals& refusals,
                    const std::vector<std::string>& class_names) {
  json.key("refusals").begin_array();
  for (const auto& [refusal, count] : refusals.groups(std::chrono::system_clock::now())) {
    const auto at = std::chrono::duration_cast<std::chrono::milliseconds>(refusal.at.time_since_epoch()).count();
    json.begin_object().member("at_ms", at).member("count", std::int64_t{count}).member("reason", name(refusal.reason));
    json.member("in_flight", refusal.in_flight).member("limit", refusal.limit);
    json.member("waited_ms", telemetry::to_milliseconds(refusal.waited), 1);
    json.member("class", std::string_view(class_names[static_cast<std::size_t>(refusal.class_index)]));
    json.member("method", std::string_view(refusal.method)).member("path", std::string_view(refusal.path));
    json.end_object();
  }
  json.end_array();
}

}  // namespace

std::string history_json(const telemetry::History& history, const telemetry::Refusals& refusals,
                         const std::vector<std::string>& class_names, std::size_t count) {
  std::vector<std::string> reasons;
  for (int i = 0; i < admission::kReasons; ++i) reasons.emplace_back(name(static_cast<admission::Reason>(i)));
  const std::vector<std::string> causes(telemetry::kFailureCauses.begin(), telemetry::kFailureCauses.end());
  std::string out;
  text::JsonWriter json(out);
  json.begin_object();
  Columns columns(json, history.samples(), count);
  columns.add("time", [](const Sample& s) { return s.at; });
  columns.add("offered", [](const Sample& s) { return s.offered; });
  columns.add("answered", [](const Sample& s) { return s.answered; });
  columns.add("aborted", [](const Sample& s) { return s.aborted; });
  columns.add("streams", [](const Sample& s) { return s.admission.streams; });
  columns.add("healthy", [](const Sample& s) { return int{s.healthy}; });
  columns.add("draining", [](const Sample& s) { return int{s.draining}; });
  columns.add("maintenance", [](const Sample& s) { return int{s.maintenance}; });
  columns.add("reloaded", [](const Sample& s) { return s.reloaded; });
  columns.add("in_flight", [](const Sample& s) { return s.admission.in_flight; });
  columns.add("limit", [](const Sample& s) { return s.admission.limit; });
  columns.add("queue", [](const Sample& s) { return s.admission.queue_length; });
  columns.add("breaker", [](const Sample& s) { return s.admission.breaker; });
  columns.add("pool_pct", [](const Sample& s) { return pool_percent(s.admission); });
  columns.add("p50_ms", [](const Sample& s) { return s.latency_ms[0]; });
  columns.add("p95_ms", [](const Sample& s) { return s.latency_ms[1]; });
  columns.add("p99_ms", [](const Sample& s) { return s.latency_ms[2]; });
  columns.group("refused", reasons, [](const Sample& s, std::size_t i) { return s.refused[i]; });
  columns.group("would_refuse", reasons, [](const Sample& s, std::size_t i) { return s.would_refuse[i]; });
  columns.group("failed", causes, [](const Sample& s, std::size_t i) { return s.failed[i]; });
  columns.group("offered_of", class_names, [](const Sample& s, std::size_t i) { return s.offered_of[i]; });
  columns.group("refused_of", class_names, [](const Sample& s, std::size_t i) { return s.refused_of[i]; });
  write_refusals(json, refusals, class_names);
  json.end_object();
  return out += '\n';
}

}  // namespace spillway::admin
