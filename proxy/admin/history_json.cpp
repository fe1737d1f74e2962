#include "proxy/admin/history_json.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "proxy/text/json.hpp"

namespace spillway::admin {

namespace {

using Sample = telemetry::History::Sample;

class Columns {
 public:
  Columns(const std::deque<Sample>& samples, std::size_t count)
      : begin_(samples.end() - static_cast<std::ptrdiff_t>(std::min(count, samples.size()))), end_(samples.end()) {}

  template <class Of>
  void add(std::string_view name, Of of) {
    fmt::format_to(std::back_inserter(text_), "{}\"{}\":[", text_.empty() ? "" : ",", name);
    for (auto sample = begin_; sample != end_; ++sample) {
      if (sample != begin_) text_ += ',';
      fmt::format_to(std::back_inserter(text_), "{}", of(*sample));
    }
    text_ += ']';
  }

  /// A column for each of some names, as an object.
  template <class Of>
  void group(std::string_view name, const std::vector<std::string>& names, Of of) {
    Columns members(*this);
    members.text_.clear();
    for (std::size_t i = 0; i < names.size(); ++i) {
      members.add(names[i], [&](const Sample& s) { return of(s, i); });
    }
    fmt::format_to(std::back_inserter(text_), ",\"{}\":{{{}}}", name, members.text_);
  }

  const std::string& text() const { return text_; }

 private:
  std::deque<Sample>::const_iterator begin_, end_;
  std::string text_;
};

int pool_percent(const telemetry::AdmissionState& gate) {
  if (!gate.load_at || gate.load.pool_capacity <= 0) return -1;
  return static_cast<int>(100 * gate.load.pool_in_use() / gate.load.pool_capacity);
}

std::string refusals_json(const telemetry::Refusals& refusals, const std::vector<std::string>& class_names) {
  std::string text;
  for (const telemetry::Refusals::Refusal& refusal : refusals.recent()) {
    const auto at = std::chrono::duration_cast<std::chrono::milliseconds>(refusal.at.time_since_epoch()).count();
    fmt::format_to(std::back_inserter(text), R"({}{{"at_ms":{},"reason":"{}","class":"{}","method":{},"path":{}}})",
                   text.empty() ? "" : ",", at, name(refusal.reason),
                   class_names[static_cast<std::size_t>(refusal.class_index)], text::json_quoted(refusal.method),
                   text::json_quoted(refusal.path));
  }
  return text;
}

}  // namespace

std::string history_json(const telemetry::History& history, const telemetry::Refusals& refusals,
                         const std::vector<std::string>& class_names, std::size_t count) {
  std::vector<std::string> reasons;
  for (int i = 0; i < admission::kReasons; ++i) reasons.emplace_back(name(static_cast<admission::Reason>(i)));
  Columns columns(history.samples(), count);
  columns.add("time", [](const Sample& s) { return s.at; });
  columns.add("offered", [](const Sample& s) { return s.offered; });
  columns.add("answered", [](const Sample& s) { return s.answered; });
  columns.add("in_flight", [](const Sample& s) { return s.gate.in_flight; });
  columns.add("limit", [](const Sample& s) { return s.gate.limit; });
  columns.add("queue", [](const Sample& s) { return s.gate.queue_length; });
  columns.add("breaker", [](const Sample& s) { return s.gate.breaker; });
  columns.add("pool_pct", [](const Sample& s) { return pool_percent(s.gate); });
  columns.add("p50_ms", [](const Sample& s) { return s.latency_ms[0]; });
  columns.add("p95_ms", [](const Sample& s) { return s.latency_ms[1]; });
  columns.add("p99_ms", [](const Sample& s) { return s.latency_ms[2]; });
  columns.group("refused", reasons, [](const Sample& s, std::size_t i) { return s.refused[i]; });
  columns.group("offered_of", class_names, [](const Sample& s, std::size_t i) { return s.offered_of[i]; });
  columns.group("refused_of", class_names, [](const Sample& s, std::size_t i) { return s.refused_of[i]; });
  return fmt::format("{{{},\"last_refusals\":[{}]}}\n", columns.text(), refusals_json(refusals, class_names));
}

}  // namespace spillway::admin
