// The metrics that users rely on: the table of the contract against the scrape and the documents.
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/unit/config/generated.hpp"
#include "tests/unit/telemetry/scrape.hpp"

namespace {

using namespace spillway::telemetry;
using namespace spillway::telemetry::test;

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
        "cause=\"response_cut\"", "cause=\"internal\"", "cause=\"loop\""}},
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
      {"spillway_io_uring", "gauge", "", plain},
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

}  // namespace
