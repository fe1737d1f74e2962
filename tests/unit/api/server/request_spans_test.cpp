// What a sampled request tells a collector.

#include "api/server/request_spans.hpp"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "tests/unit/tracing/record_json.hpp"

namespace api {
namespace {

using namespace std::chrono_literals;

const std::string kParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-";

TEST_CASE("The caller's flag decides, and the ratio where a trace begins") {
  tracing::IdGenerator ids;
  const Trace continued = trace_of(kParent + "01", 0, ids);
  CHECK(continued.recorded);
  CHECK(continued.continued);
  CHECK(tracing::trace_id(tracing::view(continued.id)) == kParent.substr(3, 32));
  CHECK(tracing::view(continued.caller_span) == kParent.substr(36, 16));
  CHECK(tracing::span_id(tracing::view(continued.id)) != kParent.substr(36, 16));
  CHECK_FALSE(trace_of(kParent + "00", 1, ids).recorded);

  for (const std::string& none : {std::string(), kParent + "1", kParent + "01-x", std::string("nonsense")}) {
    CAPTURE(none);
    CHECK_FALSE(trace_of(none, 0, ids).recorded);
    const Trace begun = trace_of(none, 1, ids);
    CHECK(begun.recorded);
    CHECK_FALSE(begun.continued);
    CHECK(tracing::valid_traceparent(tracing::view(begun.id)));
    CHECK(tracing::trace_id(tracing::view(begun.id)) != kParent.substr(3, 32));
  }
}

RequestSpans request() {
  RequestSpans spans;
  spans.request.head.trace.fill('a');
  spans.request.head.id.fill('b');
  spans.request.method = "GET";
  spans.request.route = "/items/{id}";
  spans.request.status = 200;
  spans.calendar = {.now = Time() + 10s, .date = tracing::Instant(1000s)};
  spans.ids.resize(2);
  spans.ids[0].fill('c');
  spans.ids[1].fill('d');
  return spans;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

constexpr db::Statement kItem{0, "item", "SELECT a FROM items WHERE id = $1", {}, {}};

TEST_CASE("A query is a span of the request's, and so is a wait for its connection") {
  RequestSpans spans = request();
  spans.tries = {{.statement = &kItem,
                  .asked = Time() + 7s,
                  .leased = Time() + 8s,
                  .ended = Time() + 9s,
                  .waited = true,
                  .server = "127.0.0.1 5432"}};
  CHECK(spans.spans() == 3);
  const std::string json = json_of(spans);
  const std::string b(16, 'b'), c(16, 'c'), d(16, 'd');
  CHECK(has(json, R"("spanId":")" + b + R"(","name":"GET /items/{id}","kind":2)"));
  CHECK(has(json, R"("spanId":")" + c + R"(","parentSpanId":")" + b +
                      R"(","name":"pool wait","kind":1,"startTimeUnixNano":"997000000000",)"
                      R"("endTimeUnixNano":"998000000000","attributes":[],"status":{})"));
  CHECK(has(json, R"("spanId":")" + d + R"(","parentSpanId":")" + b +
                      R"(","name":"SELECT item","kind":3,"startTimeUnixNano":"998000000000",)"
                      R"("endTimeUnixNano":"999000000000",)"
                      R"("attributes":[{"key":"db.system.name","value":{"stringValue":"postgresql"}},)"
                      R"({"key":"db.operation.name","value":{"stringValue":"SELECT"}},)"
                      R"({"key":"db.query.summary","value":{"stringValue":"SELECT item"}},)"
                      R"({"key":"server.address","value":{"stringValue":"127.0.0.1"}},)"
                      R"({"key":"server.port","value":{"intValue":"5432"}}],"status":{}})"));

  spans.tries.front().waited = false;
  spans.tries.front().server = "/run/postgresql 5432";
  CHECK(spans.spans() == 2);
  const std::string direct = json_of(spans);
  CHECK_FALSE(has(direct, "pool wait"));
  CHECK(has(direct, R"({"key":"server.address","value":{"stringValue":"/run/postgresql"}}],)"));
}

TEST_CASE(
    "A failed query tells the server's code, else what happened; one without a connection has no span of its own") {
  RequestSpans spans = request();
  spans.tries = {{.statement = &kItem, .ended = Time() + 1s, .failure = "timeout", .sqlstate = "57014"}};
  const std::string coded = json_of(spans);
  CHECK(has(coded, R"({"key":"db.response.status_code","value":{"stringValue":"57014"}})"));
  CHECK(has(coded, R"({"key":"error.type","value":{"stringValue":"57014"}}],"status":{"code":2})"));
  spans.tries = {{.statement = &kItem, .ended = Time() + 1s, .failure = "broken"}};
  CHECK(has(json_of(spans), R"({"key":"error.type","value":{"stringValue":"broken"}}],"status":{"code":2})"));
  spans.tries = {{.statement = &kItem, .no_connection = "timeout"}};
  CHECK(spans.spans() == 2);
  const std::string none = json_of(spans);
  CHECK(has(none, R"("name":"pool wait")"));
  CHECK(has(none, R"([{"key":"error.type","value":{"stringValue":"timeout"}}],"status":{"code":2})"));
  CHECK_FALSE(has(none, "SELECT"));
}

TEST_CASE("A request keeps so many tries, and the last one") {
  db::QueryTries tries;
  for (std::size_t i = 0; i < 2 * db::QueryTries::kMost; ++i) tries.begin(kItem).sqlstate = std::to_string(i);
  const std::vector<db::QueryTry> kept = tries.take();
  CHECK(kept.size() == db::QueryTries::kMost);
  CHECK(kept.front().sqlstate == "0");
  CHECK(kept.back().sqlstate == std::to_string(2 * db::QueryTries::kMost - 1));
}

}  // namespace
}  // namespace api
