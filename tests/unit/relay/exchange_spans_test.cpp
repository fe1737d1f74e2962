// What a sampled exchange tells a collector.

#include "proxy/relay/exchange_spans.hpp"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "tests/unit/tracing/record_json.hpp"

namespace spillway::relay {
namespace {

using namespace std::chrono_literals;
using tracing::Instant;

ExchangeSpans exchange(bool waits, bool sent) {
  ExchangeSpans s;
  s.request.head.trace.fill('a');
  s.request.head.id.fill('b');
  s.request.method = "GET";
  s.request.path = "/a\"b";
  s.request.host = "[::1]:8080";
  s.request.status = sent ? 200 : 503;
  if (!sent) s.request.reason = "capacity";
  s.class_name = "normal";
  s.wait.fill('d');
  s.wait_began = Instant(1s);
  s.wait_ended = waits ? Instant(1s + 1500us) : Instant(1s);
  s.upstream.fill('c');
  if (sent) s.asked = Instant(2s), s.answered = Instant(3s);
  s.upstream_address = "unix:/run/api:1.sock";
  s.upstream_secure = true;
  s.upstream_status = sent ? 200 : 0;
  return s;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("an exchange becomes a span for the request, one for a wait, and one for the API if it was asked") {
  CHECK(exchange(false, false).spans() == 1);
  CHECK(exchange(true, true).spans() == 3);
  const std::string json = json_of(exchange(true, true));
  const std::string b(16, 'b'), c(16, 'c'), d(16, 'd');
  CHECK(has(json, R"("spanId":")" + b + R"(","name":"GET","kind":2)"));
  CHECK(has(json, R"({"key":"spillway.class","value":{"stringValue":"normal"}})"));
  CHECK(has(json, R"({"key":"spillway.queue_ms","value":{"doubleValue":1.500}})"));
  CHECK(has(json, R"("spanId":")" + d + R"(","parentSpanId":")" + b + R"(","name":"queue","kind":1)"));
  CHECK(has(json, R"("spanId":")" + c + R"(","parentSpanId":")" + b +
                      R"(","name":"GET","kind":3,"startTimeUnixNano":"2000000000","endTimeUnixNano":"3000000000")"));
  CHECK(has(json, R"({"key":"server.address","value":{"stringValue":"unix:/run/api:1.sock"}})"));
  CHECK(has(json, R"({"key":"url.full","value":{"stringValue":"https://[::1]:8080/a\"b"}})"));
  CHECK_FALSE(has(json, "error.type"));
}

TEST_CASE("a refusal tells its reason, and has no span at the API; an answer of 404 is an error for the client alone") {
  const std::string refused = json_of(exchange(false, false));
  CHECK(has(refused, R"({"key":"error.type","value":{"stringValue":"capacity"}})"));
  CHECK(has(refused, R"({"key":"spillway.reason","value":{"stringValue":"capacity"}})"));
  CHECK(has(refused, R"("status":{"code":2})"));
  CHECK_FALSE(has(refused, R"("kind":3)"));

  ExchangeSpans missing = exchange(false, true);
  missing.request.status = missing.upstream_status = 404;
  const std::string json = json_of(missing);
  CHECK(json.find(R"("code":2)") == json.rfind(R"("code":2)"));
  CHECK(json.find(R"("code":2)") > json.find(R"("kind":3)"));
}

}  // namespace
}  // namespace spillway::relay
