// Records of sampled requests, and what a collector is sent.

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/tracing/otlp.hpp"
#include "proxy/tracing/queue.hpp"

namespace spillway::tracing {
namespace {

using namespace std::chrono_literals;

Record record(bool waits, bool sent) {
  Record r;
  r.trace.fill('a');
  r.request.fill('b');
  r.upstream.fill('c');
  r.wait.fill('d');
  r.parent.fill('e');
  r.began = Instant(1s);
  r.ended = Instant(4s);
  r.wait_began = Instant(1s);
  r.wait_ended = waits ? Instant(1s + 1500us) : Instant(1s);
  if (sent) r.asked = Instant(2s), r.answered = Instant(3s);
  r.method = "GET";
  r.path = "/a\"b";
  r.scheme = "http";
  r.host = "[::1]:8080";
  r.protocol = "HTTP/1.1";
  r.class_name = "normal";
  r.status = sent ? 200 : 503;
  if (!sent) r.reason = "capacity";
  r.upstream_address = "unix:/run/api:1.sock";
  r.upstream_secure = true;
  r.upstream_status = sent ? 200 : 0;
  return r;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("a record becomes a span for the request, one for a wait, and one for the API if it was asked") {
  CHECK(record(false, false).spans() == 1);
  CHECK(record(true, true).spans() == 3);
  const std::vector<Record> records{record(true, true)};
  const std::string json = otlp_json(records, {"shop", "1.2", "host-1"});
  const std::string a(32, 'a'), b(16, 'b'), c(16, 'c'), d(16, 'd');
  CHECK(json.starts_with(
      R"({"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}},)"));
  CHECK(has(json, R"({"traceId":")" + a + R"(","spanId":")" + b +
                      R"(","name":"GET","kind":2,)"
                      R"("startTimeUnixNano":"1000000000","endTimeUnixNano":"4000000000")"));
  CHECK(has(json, R"("spanId":")" + d + R"(","parentSpanId":")" + b + R"(","name":"queue","kind":1)"));
  CHECK(has(json, R"("spanId":")" + c + R"(","parentSpanId":")" + b + R"(","name":"GET","kind":3)"));
  CHECK(has(json, R"({"key":"url.path","value":{"stringValue":"/a\"b"}})"));
  CHECK(has(
      json,
      R"({"key":"server.address","value":{"stringValue":"::1"}},{"key":"server.port","value":{"intValue":"8080"}})"));
  CHECK(has(json, R"({"key":"server.address","value":{"stringValue":"unix:/run/api:1.sock"}})"));
  CHECK(has(json, R"({"key":"url.full","value":{"stringValue":"https://[::1]:8080/a\"b"}})"));
  CHECK(has(json, R"({"key":"spillway.queue_ms","value":{"doubleValue":1.500}})"));
  CHECK(has(json, R"("status":{})"));
  CHECK_FALSE(has(json, "error.type"));
  CHECK(json.ends_with("]}]}]}"));
}

TEST_CASE("what failed is an error with its reason; a continued trace names its caller") {
  std::vector<Record> records{record(false, false)};
  records.front().has_parent = true;
  const std::string json = otlp_json(records, {"shop", "1.2", ""});
  CHECK(has(json, R"("parentSpanId":")" + std::string(16, 'e')));
  CHECK(has(json, R"({"key":"error.type","value":{"stringValue":"capacity"}})"));
  CHECK(has(json, R"({"key":"spillway.reason","value":{"stringValue":"capacity"}})"));
  CHECK(has(json, R"("status":{"code":2})"));
  CHECK_FALSE(has(json, R"("kind":3)"));
}

TEST_CASE("the queue takes so many records, and counts the spans of the rest") {
  Queue queue;
  for (std::size_t i = 0; i < Queue::kMost; ++i) queue.push(record(false, true));
  CHECK(queue.dropped() == 0);
  queue.push(record(true, true));
  CHECK(queue.dropped() == 3);

  // Those kept for a collector that is away give way to newer ones.
  std::vector<Record> records(5, record(false, false));
  queue.take(records, 0s);
  CHECK(records.size() == Queue::kMost);
  CHECK(queue.dropped() == 8);
  CHECK(records.front().was_sent());

  records.clear();
  queue.take(records, 0s);
  CHECK(records.empty());
  queue.push(record(false, false));
  queue.stop();
  CHECK(queue.stopping());
  queue.take(records, 1h);  // does not wait any more
  CHECK(records.size() == 1);
}

}  // namespace
}  // namespace spillway::tracing
