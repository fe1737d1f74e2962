#include "proxy/telemetry/metrics.hpp"

#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/telemetry/openmetrics.hpp"
#include "tests/unit/config/generated.hpp"

namespace {

using namespace spillway::telemetry;
using spillway::admission::Reason;

constexpr std::size_t at(Outcome outcome) {
  return static_cast<std::size_t>(outcome);
}
constexpr std::size_t at(Reason reason) {
  return static_cast<std::size_t>(reason);
}

/// A scrape, read as Prometheus reads it: `name{labels}` to value, and `# TYPE` lines.
struct Scrape {
  explicit Scrape(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      CAPTURE(line);
      if (line.starts_with("# TYPE ")) {
        const std::size_t space = line.rfind(' ');
        const bool once = types.emplace(line.substr(7, space - 7), line.substr(space + 1)).second;
        CHECK(once);
      } else if (line.starts_with("# HELP ")) {
        CHECK(line.find(' ', 7) < line.size() - 1);
      } else {
        const std::size_t space = line.rfind(' ');
        REQUIRE(space != std::string::npos);
        std::size_t used = 0;
        const double value = std::stod(line.substr(space + 1), &used);
        CHECK(used == line.size() - space - 1);
        const bool once = series.emplace(line.substr(0, space), value).second;
        CHECK(once);
        order.push_back(line.substr(0, space));
      }
    }
    CHECK(text.ends_with('\n'));
  }
  double value(const std::string& name) const {
    CAPTURE(name);
    REQUIRE(series.contains(name));
    return series.at(name);
  }
  std::map<std::string, double> series;
  std::map<std::string, std::string> types;
  std::vector<std::string> order;
};

/// Two workers, three classes, and the rest of the process.
struct Process {
  std::vector<std::string> names{"normal", "critical", "background"};
  WorkerCounters first{3}, second{3};
  ProcessState state;
  AdmissionState admission;
  std::uint64_t dropped = 0;
  ProcessUse use;
  Metrics metrics{{{&first, &second},
                   &names,
                   [this] { return admission; },
                   [this] { return dropped; },
                   &state,
                   "1.2",
                   [this] { return use; }}};

  Scrape scrape() const { return Scrape(metrics.text()); }
};

const std::vector<std::string> kClasses{"normal", "critical", "background"};
const std::vector<std::string> kReasonNames{"capacity",
                                            "queue_full",
                                            "queue_timeout",
                                            "pool",
                                            "fairness",
                                            "cohort",
                                            "streams",
                                            "deadline",
                                            "breaker",
                                            "maintenance",
                                            "connections",
                                            "draining",
                                            "upstream_connections"};

/// All documented metrics, with the label sets that exist from the start.
struct Promise {
  std::string name, type, labels;  // names of the labels, as declared
  std::vector<std::string> series;
  double value = 0;
};

std::vector<Promise> contract() {
  std::vector<std::string> by_class, by_reason, by_outcome, by_code, by_kind;
  for (const std::string& c : kClasses) {
    by_class.push_back("class=\"" + c + "\"");
    for (const std::string& reason : kReasonNames) {
      by_reason.push_back("reason=\"" + reason + "\",class=\"" + c + "\"");
    }
    // All pairs that can occur. The status of a response that has begun stays, however the request ends.
    const std::map<std::string, std::vector<const char*>> outcomes{
        {"ok", {"2xx", "3xx"}},
        {"client_error", {"4xx"}},
        {"upstream_error", {"2xx", "3xx", "4xx", "5xx"}},
        {"shed", {"4xx", "5xx"}},
        {"timeout", {"2xx", "3xx", "4xx", "5xx"}},
        {"aborted", {"none", "2xx", "3xx", "4xx", "5xx"}},
    };
    for (const auto& [outcome, codes] : outcomes) {
      for (const char* code : codes) {
        by_outcome.push_back("class=\"" + c + "\",outcome=\"" + outcome + "\",code=\"" + code + "\"");
      }
    }
  }
  for (const char* code : {"400", "405", "408", "413", "414", "417", "431", "501", "505"}) {
    by_code.push_back(std::string("code=\"") + code + "\"");
  }
  const std::vector<std::string> plain{""};
  for (const std::string_view kind : spillway::http2::kAbuseNames)
    by_kind.push_back("kind=\"" + std::string(kind) + "\"");
  std::vector<std::string> by_handshake;
  for (const char* result : {"ok", "resumed"}) {
    for (const char* version : {"1.2", "1.3"}) {
      by_handshake.push_back("result=\"" + std::string(result) + "\",version=\"" + version + "\"");
    }
  }
  for (const char* result : {"failed", "timeout", "evicted", "gone", "plain_http"}) {
    by_handshake.push_back("result=\"" + std::string(result) + "\",version=\"none\"");
  }
  return {
      {"database_pool_size", "gauge", "", plain},
      {"database_pool_overflow", "gauge", "", plain},
      {"database_pool_checkedin", "gauge", "", plain},
      {"database_pool_capacity", "gauge", "", plain},
      {"database_pool_waiters", "gauge", "", plain},
      {"database_connection_errors", "counter", "", plain},
      {"request_concurrency", "histogram", "", plain},
      {"load_shedding_rejections", "counter", "reason, class", by_reason},
      {"spillway_requests_total", "counter", "class, outcome, code", by_outcome},
      {"spillway_request_duration_seconds", "histogram", "class", by_class},
      {"spillway_served_duration_seconds", "histogram", "class", by_class},
      {"spillway_upstream_failures_total",
       "counter",
       "cause",
       {"cause=\"status\"", "cause=\"connect_failed\"", "cause=\"tls_failed\"", "cause=\"connect_timeout\"",
        "cause=\"upstream_closed\"", "cause=\"response_timeout\"", "cause=\"response_invalid\"",
        "cause=\"response_cut\"", "cause=\"internal\""}},
      {"spillway_upstream_duration_seconds", "histogram", "class", by_class},
      {"spillway_queue_wait_seconds", "histogram", "class", by_class},
      {"spillway_inflight", "gauge", "", plain},
      {"spillway_streams", "gauge", "", plain},
      {"spillway_queue_length", "gauge", "", plain},
      {"spillway_concurrency_limit", "gauge", "", plain},
      {"spillway_capacity", "gauge", "", plain},
      {"spillway_shadow_rejections_total", "counter", "reason, class", by_reason},
      {"spillway_upstream_connections", "gauge", "state", {"state=\"active\"", "state=\"idle\""}},
      {"spillway_upstream_connects_total", "counter", "", plain},
      {"spillway_upstream_connect_failures_total", "counter", "", plain},
      {"spillway_upstream_retries_total", "counter", "", plain},
      {"spillway_breaker_state", "gauge", "", plain},
      {"spillway_upstream_healthy", "gauge", "", plain},
      {"spillway_maintenance", "gauge", "", plain},
      {"spillway_draining", "gauge", "", plain},
      {"spillway_config_last_reload_successful", "gauge", "", plain, 1},
      {"spillway_config_last_reload_timestamp_seconds", "gauge", "", plain},
      {"spillway_config_restart_pending", "gauge", "", plain},
      {"spillway_build_info", "gauge", "version", {"version=\"1.2\""}, 1},
      {"spillway_client_connections", "gauge", "", plain},
      {"spillway_bad_requests_total", "counter", "code", by_code},
      {"spillway_bytes_total", "counter", "direction", {"direction=\"in\"", "direction=\"out\""}},
      {"spillway_event_loop_lag_seconds", "histogram", "", plain},
      {"process_cpu_seconds_total", "counter", "", plain},
      {"process_resident_memory_bytes", "gauge", "", plain},
      {"process_open_fds", "gauge", "", plain},
      {"process_max_fds", "gauge", "", plain},
      {"process_start_time_seconds", "gauge", "", plain},
      {"spillway_trace_spans_dropped_total", "counter", "", plain},
      {"spillway_http_requests_total",
       "counter",
       "protocol",
       {"protocol=\"HTTP/1.0\"", "protocol=\"HTTP/1.1\"", "protocol=\"HTTP/2\""}},
      {"spillway_http2_abuse_total", "counter", "kind", by_kind},
      {"spillway_tls_handshakes_total", "counter", "result, version", by_handshake},
      {"spillway_tls_certificate_expiry_seconds", "gauge", "certificate", {}},
      {"spillway_log_lines_dropped_total", "counter", "", plain},
  };
}

std::string braced(const std::string& labels) {
  return labels.empty() ? "" : "{" + labels + "}";
}

TEST_CASE("exactly the documented series exist from the start, at 0") {
  const Process process;
  const Scrape scrape = process.scrape();
  std::set<std::string> promised;
  for (const Promise& promise : contract()) {
    CAPTURE(promise.name);
    REQUIRE(scrape.types.contains(promise.name));
    CHECK(scrape.types.at(promise.name) == promise.type);
    for (const std::string& labels : promise.series) {
      if (promise.type == "histogram") {
        for (const char* part : {"_count", "_sum"}) {
          CHECK(scrape.value(promise.name + part + braced(labels)) == 0);
          promised.insert(promise.name + part + braced(labels));
        }
        CHECK(scrape.value(promise.name + "_bucket" + braced(labels + (labels.empty() ? "" : ",") + "le=\"+Inf\"")) ==
              0);
      } else {
        CHECK(scrape.value(promise.name + braced(labels)) == promise.value);
        promised.insert(promise.name + braced(labels));
      }
    }
  }
  CHECK(scrape.types.size() == contract().size());
  for (const auto& [name, value] : scrape.series) {
    CAPTURE(name);
    CHECK((promised.contains(name) || name.find("_bucket") != std::string::npos));
  }
}

TEST_CASE("--print-metrics shows the declarations of the scrape") {
  std::ostringstream out;
  print_declarations(out);
  std::istringstream lines(out.str());
  std::vector<Promise> expected = contract();
  std::size_t i = 0;
  for (std::string line; std::getline(lines, line); ++i) {
    REQUIRE(i < expected.size());
    CHECK(line.starts_with(expected[i].name + '\t' + expected[i].type + '\t' + expected[i].labels + '\t'));
    CHECK(line.back() != '\t');
  }
  CHECK(i == expected.size());
}

TEST_CASE("the page of metrics is as generated") {
  std::ostringstream declarations, page;
  print_declarations(declarations);
  page << "# Metrics\n\nWhat `/metrics` of the admin listener shows. Every series exists at 0 from the start. "
          "Generated from the table in `proxy/telemetry/metrics.cpp`.\n\n"
          "| name | type | labels | meaning |\n| --- | --- | --- | --- |\n";
  std::istringstream lines(declarations.str());
  for (std::string name, type, labels, help; std::getline(lines, name, '\t');) {
    std::getline(lines, type, '\t');
    std::getline(lines, labels, '\t');
    std::getline(lines, help);
    page << "| `" << name << "` | " << type << " | " << labels << " | " << help << " |\n";
  }
  generated::check_file("METRICS.md", page.str());
}

TEST_CASE("the counts of all workers are added up") {
  Process p;
  const auto both = [&](auto member, std::uint64_t n) {
    (p.first.*member).add(n);
    (p.second.*member).add(10 * n);
  };
  both(&WorkerCounters::client_connections, 3);
  both(&WorkerCounters::upstream_active, 4);
  both(&WorkerCounters::upstream_idle, 5);
  both(&WorkerCounters::upstream_connects, 6);
  both(&WorkerCounters::upstream_connect_failures, 7);
  both(&WorkerCounters::upstream_retries, 8);
  p.first.tls_handshakes[static_cast<std::size_t>(Handshake::resumed_1_3)].add(2);
  p.second.tls_handshakes[static_cast<std::size_t>(Handshake::resumed_1_3)].add();
  p.second.upstream_idle.subtract(20);
  p.first.classes[1].requests[at(Outcome::ok)][2].add(2);
  p.second.classes[1].requests[at(Outcome::ok)][2].add(3);
  p.second.classes[2].rejections[at(Reason::queue_full)].add(9);
  p.first.classes[2].shadow_rejections[at(Reason::capacity)].add();
  p.first.bad_requests[bad_request_index(431)].add(2);
  p.second.bad_requests[bad_request_index(431)].add();
  p.first.protocols[2].add(2);
  p.second.protocols[2].add(2);
  p.first.http2_abuse[0].add();

  const Scrape scrape = p.scrape();
  CHECK(scrape.value("spillway_client_connections") == 33);
  CHECK(scrape.value("spillway_upstream_connections{state=\"active\"}") == 44);
  CHECK(scrape.value("spillway_upstream_connections{state=\"idle\"}") == 35);
  CHECK(scrape.value("spillway_upstream_connects_total") == 66);
  CHECK(scrape.value("spillway_upstream_connect_failures_total") == 77);
  CHECK(scrape.value("spillway_upstream_retries_total") == 88);
  CHECK(scrape.value("spillway_requests_total{class=\"critical\",outcome=\"ok\",code=\"2xx\"}") == 5);
  CHECK(scrape.value("spillway_requests_total{class=\"normal\",outcome=\"ok\",code=\"2xx\"}") == 0);
  CHECK(scrape.value("load_shedding_rejections{reason=\"queue_full\",class=\"background\"}") == 9);
  CHECK(scrape.value("load_shedding_rejections{reason=\"capacity\",class=\"background\"}") == 0);
  CHECK(scrape.value("spillway_shadow_rejections_total{reason=\"capacity\",class=\"background\"}") == 1);
  CHECK(scrape.value("spillway_bad_requests_total{code=\"431\"}") == 3);
  CHECK(scrape.value("spillway_http_requests_total{protocol=\"HTTP/2\"}") == 4);
  CHECK(scrape.value("spillway_http_requests_total{protocol=\"HTTP/1.1\"}") == 0);
  CHECK(scrape.value("spillway_http2_abuse_total{kind=\"reset\"}") == 1);
  CHECK(scrape.value("spillway_tls_handshakes_total{result=\"resumed\",version=\"1.3\"}") == 3);
}

TEST_CASE("gauges show the state of the process and the API") {
  Process p;
  p.state.draining = true;
  p.state.maintenance = true;
  p.state.upstream_healthy = true;
  p.state.reload_successful = false;
  p.admission.breaker = 2;
  p.state.reload_time = 1'700'000'000;
  p.dropped = 12;
  p.admission.in_flight = 80;
  p.admission.queue_length = 5;
  p.admission.limit = 90;
  p.admission.capacity = 100;
  p.admission.load = {0.5, 20, 3, 12, 50, 4, 6};

  const Scrape scrape = p.scrape();
  const std::map<std::string, double> expected{
      {"spillway_draining", 1},
      {"spillway_maintenance", 1},
      {"spillway_upstream_healthy", 1},
      {"spillway_config_last_reload_successful", 0},
      {"spillway_breaker_state", 2},
      {"spillway_config_last_reload_timestamp_seconds", 1'700'000'000},
      {"spillway_log_lines_dropped_total", 12},
      {"spillway_inflight", 80},
      {"spillway_queue_length", 5},
      {"spillway_concurrency_limit", 90},
      {"spillway_capacity", 100},
      {"database_pool_size", 20},
      {"database_pool_overflow", 3},
      {"database_pool_checkedin", 12},
      {"database_pool_capacity", 50},
      {"database_pool_waiters", 4},
      {"database_connection_errors", 6},
  };
  for (const auto& [name, value] : expected) CHECK(scrape.value(name) == value);
}

TEST_CASE("OpenMetrics has the same series, with counters as it wants them") {
  Process p;
  p.first.classes[0].duration.observe(120);
  p.first.upstream_connects.add(7);
  const std::string text = openmetrics_text(p.metrics.Collect());
  const auto has = [&](const std::string& line) { return text.find('\n' + line + '\n') != std::string::npos; };
  CHECK(has("# TYPE spillway_upstream_connects counter"));
  CHECK(has("spillway_upstream_connects_total 7"));
  CHECK(has("# TYPE load_shedding_rejections unknown"));  // its name is promised, and a counter's must end in _total
  CHECK(has("load_shedding_rejections{reason=\"pool\",class=\"normal\"} 0"));
  CHECK(has("# TYPE spillway_request_duration_seconds histogram"));
  CHECK(has("spillway_request_duration_seconds_bucket{class=\"normal\",le=\"0.1\"} 0"));
  CHECK(has("spillway_request_duration_seconds_bucket{class=\"normal\",le=\"+Inf\"} 1"));
  CHECK(has("spillway_request_duration_seconds_sum{class=\"normal\"} 0.12"));
  CHECK(text.ends_with("\n# EOF\n"));

  std::set<std::string> series;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with('#')) series.insert(line.substr(0, line.rfind(' ')));
  }
  const Scrape scrape = p.scrape();
  CHECK(series.size() == scrape.series.size());
  for (const auto& [name, value] : scrape.series) {
    CAPTURE(name);
    CHECK(series.contains(name));
  }
}

TEST_CASE("a bucket's exemplar is its youngest request of all workers, with its trace and its date") {
  Process p;
  const spillway::Time now{std::chrono::hours(5)};
  const std::string a(32, 'a'), b(32, 'b'), c(32, 'c');
  p.first.classes[0].duration.observe(110, {a, false, now - std::chrono::seconds(9)});
  p.second.classes[0].duration.observe(120, {b, false, now - std::chrono::milliseconds(1500)});
  p.second.classes[0].duration.observe(40'000, {c, false, now});
  p.second.classes[2].served_duration.observe(2, {c, false, now});
  const std::string text = p.metrics.openmetrics(now, std::chrono::system_clock::from_time_t(1'700'000'000));
  const auto has = [&](const std::string& line) { return text.find('\n' + line + '\n') != std::string::npos; };
  CHECK(has("spillway_request_duration_seconds_bucket{class=\"normal\",le=\"0.12\"} 2 # {trace_id=\"" + b +
            "\"} 0.12 1699999998.5"));
  CHECK(has("spillway_request_duration_seconds_bucket{class=\"normal\",le=\"0.1\"} 0"));
  CHECK(has("spillway_request_duration_seconds_bucket{class=\"normal\",le=\"+Inf\"} 3 # {trace_id=\"" + c +
            "\"} 40 1.7e+09"));
  CHECK(text.find("spillway_served_duration_seconds_bucket{class=\"background\",le=\"0.0025\"} 1 # {trace_id=\"" + c) !=
        std::string::npos);
  CHECK(text.find(" # {trace_id=\"" + a) == std::string::npos);
}

TEST_CASE("OpenMetrics is for who prefers it") {
  CHECK(
      prefers_openmetrics("application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;"
                          "version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"));
  CHECK(prefers_openmetrics("Application/OpenMetrics-Text"));
  CHECK_FALSE(prefers_openmetrics(""));
  CHECK_FALSE(prefers_openmetrics("*/*"));
  CHECK_FALSE(prefers_openmetrics("text/plain, application/openmetrics-text;q=0.5"));
  CHECK_FALSE(prefers_openmetrics("application/openmetrics-text;q=0"));
}

TEST_CASE("an unexpected pair of outcome and status is exported once it has occurred") {
  Process p;
  const std::string name = "spillway_requests_total{class=\"normal\",outcome=\"client_error\",code=\"5xx\"}";
  CHECK_FALSE(p.scrape().series.contains(name));
  p.first.classes[0].requests[at(Outcome::client_error)][code_index(501)].add();
  CHECK(p.scrape().value(name) == 1);
}

TEST_CASE("latency buckets are cumulative, ascend, and are in seconds") {
  Process p;
  p.first.classes[1].duration.observe(0.4);
  p.first.classes[1].duration.observe(120);
  p.second.classes[1].duration.observe(120.5);
  p.second.classes[1].duration.observe(60'000);
  const Scrape scrape = p.scrape();

  const std::string name = "spillway_request_duration_seconds";
  const std::map<std::string, double> expected{
      {"0.001", 1}, {"0.0025", 1}, {"0.005", 1}, {"0.01", 1}, {"0.025", 1}, {"0.05", 1}, {"0.075", 1},
      {"0.1", 1},   {"0.12", 2},   {"0.15", 3},  {"0.2", 3},  {"0.3", 3},   {"0.5", 3},  {"1", 3},
      {"1.5", 3},   {"2", 3},      {"2.5", 3},   {"5", 3},    {"10", 3},    {"30", 3},   {"+Inf", 4},
  };
  const std::string prefix = name + "_bucket{class=\"critical\",le=\"";
  double before = 0, bound_before = 0;
  std::size_t buckets = 0;
  for (const std::string& series : scrape.order) {
    if (!series.starts_with(prefix)) continue;
    const std::string bound = series.substr(prefix.size(), series.size() - prefix.size() - 2);
    CAPTURE(bound);
    REQUIRE(expected.contains(bound));
    CHECK(scrape.value(series) == expected.at(bound));
    CHECK(scrape.value(series) >= before);
    CHECK(std::stod(bound) > bound_before);
    before = scrape.value(series);
    bound_before = std::stod(bound);
    ++buckets;
  }
  CHECK(buckets == expected.size());
  CHECK(scrape.value(name + "_count{class=\"critical\"}") == 4);
  CHECK(scrape.value(name + "_sum{class=\"critical\"}") == doctest::Approx(60.2409));
  CHECK(scrape.value(name + "_count{class=\"normal\"}") == 0);
}

TEST_CASE("each latency has its own histogram, and concurrency is counted in requests") {
  Process p;
  p.first.classes[0].duration.observe(1000);
  p.first.classes[0].upstream_duration.observe(2000);
  p.first.classes[0].queue_wait.observe(3000);
  p.first.concurrency.observe(80);
  p.second.concurrency.observe(81);
  const Scrape scrape = p.scrape();
  CHECK(scrape.value("spillway_request_duration_seconds_sum{class=\"normal\"}") == doctest::Approx(1));
  CHECK(scrape.value("spillway_upstream_duration_seconds_sum{class=\"normal\"}") == doctest::Approx(2));
  CHECK(scrape.value("spillway_queue_wait_seconds_sum{class=\"normal\"}") == doctest::Approx(3));
  CHECK(scrape.value("request_concurrency_sum") == 161);
  CHECK(scrape.value("request_concurrency_count") == 2);
  CHECK(scrape.value("request_concurrency_bucket{le=\"70\"}") == 0);
  CHECK(scrape.value("request_concurrency_bucket{le=\"80\"}") == 1);
  CHECK(scrape.value("request_concurrency_bucket{le=\"90\"}") == 2);
}

}  // namespace
