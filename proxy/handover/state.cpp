#include "proxy/handover/state.hpp"

#include <algorithm>

#include "proxy/handover/members.hpp"

namespace spillway::handover {
namespace {

using admission::Breaker;
using admission::Learned;
using telemetry::History;

constexpr double kMany = 1e15;        // counts and rates; exact in a double
constexpr double kInt = 100'000'000;  // of an int, so that sums of ten cannot overflow
constexpr double kLog = 50;           // logs of seconds and of their ratios: from 1e-22 to 1e21
constexpr std::size_t kLevelsMax = 10'000;
constexpr std::size_t kClassesMax = 1000;
constexpr std::size_t kSecondsMax = 10 * History::kSamples;
constexpr unsigned kDepthMax = 16;

constexpr auto kCounts = [](auto& m, auto& c) {
  m.number("all", c.all, 0, kInt);
  m.number("failed", c.failed, 0, kInt);
  m.number("slow", c.slow, 0, kInt);
};

constexpr auto kBreaker = [](auto& m, auto& b) {
  m.choice("state", b.state, Breaker::State::open);
  m.age("in_state", b.in_state);
  m.age("since_opened", b.since_opened);
  m.duration("until_trial", b.until_trial);
  m.duration("open_period", b.open_period);
  m.duration("ramp", b.ramp);
  m.duration("ramp_left", b.ramp_left);
  m.number("trials_succeeded", b.trials_succeeded, 0, kInt);
  m.number("proven", b.proven, 0, kInt);
  m.list("window", b.window, kLevelsMax, kCounts);
  m.duration("usual_latency", b.usual.usual);
  m.number("usual_periods", b.usual.periods, 0, kInt);
};

constexpr auto kService = [](auto& m, auto& s) {
  m.duration("average", s.average);
  m.age("age", s.age);
};

constexpr auto kLimit = [](auto& m, auto& l) {
  m.flag("enabled", l.enabled);
  m.number("level", l.level, 0, kInt);
  m.flag("found", l.found);
  m.flag("smooth_known", l.smooth_known);
  m.number("smooth", l.smooth, -kLog, kLog);
  m.number("noise", l.noise, 0, kLog);
  m.number("held", l.held, 0, kInt);
  m.number("rises", l.rises, 0, kInt);
  m.number("until_dip", l.until_dip, -kInt, kInt);
  m.number("dip_period", l.dip_period, 0, kInt);
  m.number("floor_seconds", l.window.floor_seconds, 0, MemberReader::kLongest);
  m.number("log_variance", l.window.log_variance, 0, kMany);
  m.number("variance", l.window.variance, 0, kMany);
  m.number("turnover", l.window.turnover, 0, MemberReader::kLongest);
};

constexpr auto kLevel = [](auto& m, auto& l) {
  m.number("seconds", l.seconds, 0, kMany);
  m.number("answers", l.answers, 0, kMany);
};

constexpr auto kClass = [](auto& m, auto& c) {
  m.text("name", c.name);
  m.flag("floor_known", c.floor_known);
  m.number("floor", c.floor, -kLog, kLog);
  m.part("service", c.service, kService);
  m.duration("service_p90", c.p90);
  m.part("breaker", c.breaker, kBreaker);
  m.number("database_share", c.database.share, 0, 1);
  m.number("database_reports", c.database.reports, 0, kInt);
  m.number("arriving", c.queue.arriving, 0, kMany);
  m.number("asking", c.queue.asking, 0, kMany);
  m.number("served", c.queue.served, 0, kMany);
  m.flag("standing_overload", c.queue.standing);
  m.number("cohort_threshold", c.queue.threshold, 0, 1);
};

constexpr auto kAdmission = [](auto& m, auto& a) {
  m.part("limit", a.limit, kLimit);
  m.part("reach", a.reach, kBreaker);
  m.part("service", a.service, kService);
  m.number("retry_after", a.retry_after, 0, kMany);
  m.flag("need_reported", a.need_reported);
  m.list("curve", a.curve, kLevelsMax, kLevel);
  m.list("classes", a.classes, kClassesMax, kClass);
};

constexpr auto kSample = [](auto& m, auto& s) {
  constexpr double kCount = 4'294'967'295;
  m.number("at", s.at, 0, kMany);
  m.number("offered", s.offered, 0, kCount);
  m.number("answered", s.answered, 0, kCount);
  m.number("aborted", s.aborted, 0, kCount);
  m.numbers("failed", s.failed, kClassesMax, 0, kCount);
  m.numbers("refused", s.refused, kClassesMax, 0, kCount);
  m.numbers("would_refuse", s.would_refuse, kClassesMax, 0, kCount);
  m.numbers("offered_of", s.offered_of, kClassesMax, 0, kCount);
  m.numbers("refused_of", s.refused_of, kClassesMax, 0, kCount);
  m.numbers("latency_ms", s.latency_ms, kClassesMax, 0, kMany);
  m.flag("healthy", s.healthy);
  m.flag("draining", s.draining);
  m.flag("maintenance", s.maintenance);
  m.number("reloaded", s.reloaded, 0, kMany);
  auto& a = s.admission;
  m.number("in_flight", a.in_flight, 0, kInt);
  m.number("queue_length", a.queue_length, 0, kInt);
  m.number("streams", a.streams, 0, kInt);
  m.number("limit", a.limit, 0, kInt);
  m.number("capacity", a.capacity, 0, kInt);
  m.number("breaker", a.breaker, 0, 2);
  m.number("pool_size", a.load.pool_size, 0, admission::kPoolCountMax);
  m.number("pool_overflow", a.load.pool_overflow, 0, admission::kPoolCountMax);
  m.number("pool_checked_in", a.load.pool_checked_in, 0, admission::kPoolCountMax);
  m.number("pool_capacity", a.load.pool_capacity, 0, admission::kPoolCountMax);
  m.presence("pool_reported", a.load_at);
};

struct Name {
  std::string text;
};
constexpr auto kName = [](auto& m, auto& n) { m.text("name", n.text); };

constexpr auto kListening = [](auto& m, auto& l) {
  m.choice("use", l.use, Listening::Use::handover);
  m.text("address", l.address);
  m.number("entry", l.entry, 0, kInt);
  m.number("group", l.group, 0, kInt);
  m.flag("inherited", l.inherited);
  m.flag("systemd", l.systemd);
};

constexpr auto kNeeds = [](auto& m, auto& n) {
  m.number("requests", n.requests, 0, kInt);
  m.number("streams", n.streams, 0, kInt);
};

template <class T, class Describe>
std::string written(const T& value, Describe describe) {
  json::object object;
  MemberWriter members(object);
  describe(members, value);
  return json::serialize(object);
}

std::optional<json::object> object_of(std::string_view text, std::string& error) {
  json::parse_options options;
  options.max_depth = kDepthMax;
  json::error_code failed;
  json::value value = json::parse({text.data(), text.size()}, failed, {}, options);
  if (!failed && value.is_object()) return std::move(value.get_object());
  error = failed ? "it is no JSON: " + failed.message() : "it is no object";
  return std::nullopt;
}

template <class T, class Describe>
std::optional<T> read(std::string_view text, Describe describe, std::string& error) {
  const std::optional<json::object> object = object_of(text, error);
  if (!object) return std::nullopt;
  std::optional<T> value(std::in_place);
  MemberReader members(*object, error);
  describe(members, *value);
  if (!error.empty()) value.reset();
  return value;
}

constexpr auto kState = [](auto& m, auto& s) {
  m.part("admission", s.admission, kAdmission);
  m.list("history", s.history, kSecondsMax, kSample);
  m.flag("api_healthy", s.api_healthy);
  m.number("connection_errors", s.connection_errors, 0, kMany);
};

}  // namespace

std::string to_json(const State& state) {
  return written(state, [](auto& m, auto& s) {
    const int version = kVersion;
    m.number("version", version, 0, kInt);
    std::vector<Name> names;
    for (const std::string& each : s.class_names) names.push_back({each});
    m.list("class_names", names, kClassesMax, kName);
    kState(m, s);
  });
}

std::optional<State> parse_state(std::string_view text, std::string& error) {
  error.clear();
  return read<State>(
      text,
      [](auto& m, auto& s) {
        std::vector<Name> names;
        m.list("class_names", names, kClassesMax, kName);
        for (Name& each : names) s.class_names.push_back(std::move(each.text));
        kState(m, s);
      },
      error);
}

void order_classes(State& state, const std::vector<std::string>& names) {
  const auto ordered = [&](const std::vector<std::uint32_t>& before) {
    std::vector<std::uint32_t> after(names.size());
    for (std::size_t i = 0; i < std::min(before.size(), state.class_names.size()); ++i) {
      const auto at = std::find(names.begin(), names.end(), state.class_names[i]);
      if (at != names.end()) after[static_cast<std::size_t>(at - names.begin())] = before[i];
    }
    return after;
  };
  for (History::Sample& sample : state.history) {
    sample.offered_of = ordered(sample.offered_of);
    sample.refused_of = ordered(sample.refused_of);
  }
  state.class_names = names;
}

std::string to_json(const Listening& listening) {
  return written(listening, kListening);
}

std::optional<Listening> parse_listening(std::string_view text) {
  std::string error;
  return read<Listening>(text, kListening, error);
}

std::string to_json(const Needs& needs) {
  return written(needs, kNeeds);
}

std::optional<Needs> parse_needs(std::string_view text) {
  std::string error;
  return read<Needs>(text, kNeeds, error);
}

int parse_pid(std::string_view text) {
  constexpr auto kPid = [](auto& members, auto& pid) { members.number("pid", pid, 0, 1 << 22); };
  std::string error;
  return read<int>(text, kPid, error).value_or(0);
}

}  // namespace spillway::handover
