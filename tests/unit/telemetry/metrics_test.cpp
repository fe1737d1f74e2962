#include "proxy/telemetry/metrics.hpp"

#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/telemetry/openmetrics.hpp"
#include "tests/unit/telemetry/scrape.hpp"

namespace {

using namespace spillway::telemetry;
using namespace spillway::telemetry::test;
using spillway::admission::Reason;

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
  p.state.io_uring = true;
  p.dropped = 12;
  p.admission.in_flight = 80;
  p.admission.queue_length = 5;
  p.admission.limit = 90;
  p.admission.capacity = 100;
  p.admission.load = {0.5, 20, 3, 12, 50, 4};
  p.admission.connection_errors = 6;

  const Scrape scrape = p.scrape();
  const std::map<std::string, double> expected{
      {"spillway_draining", 1},
      {"spillway_maintenance", 1},
      {"spillway_upstream_healthy", 1},
      {"spillway_io_uring", 1},
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
