// Records of sampled requests on their way to a collector, and what the log is told of it.

#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/tracing/http_server_span.hpp"
#include "proxy/tracing/news.hpp"
#include "proxy/tracing/otlp.hpp"
#include "proxy/tracing/queue.hpp"

namespace tracing {
namespace {

using namespace std::chrono_literals;
using Records = std::vector<std::unique_ptr<const Record>>;

/// A request that was served, with spans for its parts that are not written.
struct Served final : Record {
  HttpServerSpan request;
  int count = 1;

  int spans() const override { return count; }
  void write(SpanWriter& out) const override {
    request.begin(out);
    out.add_milliseconds("more", 1.5);
    request.end(out);
  }
};

std::unique_ptr<Served> served(int count = 1) {
  auto r = std::make_unique<Served>();
  r->count = count;
  r->request.head.trace.fill('a');
  r->request.head.id.fill('b');
  r->request.head.parent.fill('e');
  r->request.head.began = Instant(1s);
  r->request.head.ended = Instant(4s);
  r->request.method = "GET";
  r->request.path = "/a\"b";
  r->request.scheme = "http";
  r->request.host = "[::1]:8080";
  r->request.protocol = "HTTP/1.1";
  r->request.status = 200;
  return r;
}

std::string json_of(std::unique_ptr<Served> one) {
  Records records;
  records.push_back(std::move(one));
  return otlp_json(records, {"shop", "program", "1.2", "host-1"});
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("a request becomes a span with the attributes of HTTP and those of its own") {
  const std::string json = json_of(served());
  const std::string a(32, 'a'), b(16, 'b');
  CHECK(json.starts_with(
      R"({"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}},)"
      R"({"key":"service.version","value":{"stringValue":"1.2"}},)"
      R"({"key":"service.instance.id","value":{"stringValue":"host-1"}}]},)"
      R"("scopeSpans":[{"scope":{"name":"program","version":"1.2"},"spans":[{"traceId":")" +
      a + R"(","spanId":")" + b +
      R"(","name":"GET","kind":2,"startTimeUnixNano":"1000000000","endTimeUnixNano":"4000000000")"));
  CHECK(has(json, R"({"key":"url.path","value":{"stringValue":"/a\"b"}})"));
  CHECK(has(
      json,
      R"({"key":"server.address","value":{"stringValue":"::1"}},{"key":"server.port","value":{"intValue":"8080"}})"));
  CHECK(has(json, R"({"key":"network.protocol.version","value":{"stringValue":"1.1"}})"));
  CHECK(has(json, R"({"key":"more","value":{"doubleValue":1.500}})"));
  CHECK(has(json, R"("status":{})"));
  CHECK_FALSE(has(json, "error.type"));
  CHECK_FALSE(has(json, "http.route"));
  CHECK(json.ends_with("]}]}]}"));
}

TEST_CASE("a route is part of the name; a continued trace names its caller; an address of a socket has no port") {
  auto one = served();
  one->request.route = "/items/{id}";
  one->request.head.has_parent = true;
  one->request.host = "unix:/run/api:1.sock";
  const std::string json = json_of(std::move(one));
  CHECK(has(json, R"("parentSpanId":")" + std::string(16, 'e') + R"(","name":"GET /items/{id}")"));
  CHECK(has(json, R"({"key":"http.route","value":{"stringValue":"/items/{id}"}})"));
  CHECK(has(json, R"({"key":"server.address","value":{"stringValue":"unix:/run/api:1.sock"}})"));
}

TEST_CASE("a 5xx, or no response, is an error, with its reason if there is one; a 4xx is none") {
  struct Row {
    int status;
    const char* reason;
    std::string_view type;  ///< empty: no error
  };
  for (const Row& row : {Row{503, "capacity", "capacity"}, Row{500, "", "500"}, Row{0, "client_gone", "client_gone"},
                         Row{0, "", "0"}, Row{404, "", ""}, Row{429, "login_limit", ""}}) {
    CAPTURE(row.status);
    auto one = served();
    one->request.status = row.status;
    one->request.reason = row.reason;
    const std::string json = json_of(std::move(one));
    CHECK(has(json, R"("status":{"code":2})") == !row.type.empty());
    CHECK(has(json, R"({"key":"error.type","value":{"stringValue":")" + std::string(row.type) + "\"}}") ==
          !row.type.empty());
  }
}

TEST_CASE("a method that HTTP does not define makes no name of its own") {
  auto one = served();
  one->request.method = "BREW";
  const std::string json = json_of(std::move(one));
  CHECK(has(json, R"("name":"HTTP")"));
  CHECK(has(json, R"({"key":"http.request.method","value":{"stringValue":"_OTHER"}},)"
                  R"({"key":"http.request.method_original","value":{"stringValue":"BREW"}})"));
}

TEST_CASE("the dates of a record are as far from each other as its times") {
  const net::Time now = net::Time() + 1h;
  const Calendar calendar{.now = now, .date = Instant(1000s)};
  CHECK(calendar.at(now) == Instant(1000s));
  CHECK(calendar.at(now - 1500us) == Instant(1000s - 1500us));
}

TEST_CASE("the queue takes so many records, and counts the spans of the rest") {
  Queue queue;
  for (std::size_t i = 0; i < Queue::kMost; ++i) queue.push(served(2));
  CHECK(queue.dropped() == 0);
  queue.push(served(3));
  CHECK(queue.dropped() == 3);

  // Those kept for a collector that is away give way to newer ones.
  Records records;
  for (int i = 0; i < 5; ++i) records.push_back(served());
  queue.take(records, 0s);
  CHECK(records.size() == Queue::kMost);
  CHECK(queue.dropped() == 8);
  CHECK(records.front()->spans() == 2);

  records.clear();
  queue.take(records, 0s);
  CHECK(records.empty());
  queue.push(served());
  queue.stop();
  CHECK(queue.stopping());
  queue.take(records, 1h);  // does not wait any more
  CHECK(records.size() == 1);
}

TEST_CASE("the log hears of a collector's failure, of another reason and of its end, twice in ten seconds at most") {
  const net::Time start = net::Time() + 1h;
  News news;
  CHECK_FALSE(news.worked());
  CHECK(news.failed("refused", start));
  CHECK_FALSE(news.failed("refused", start + 1s));
  CHECK_FALSE(news.failed("timed out", start + 9s));
  CHECK_FALSE(news.failed("refused", start + 11s));  // nothing new
  CHECK(news.failed("timed out", start + 12s));
  CHECK(news.worked());
  CHECK_FALSE(news.worked());

  // One that comes and goes.
  CHECK_FALSE(news.failed("refused", start + 13s));
  CHECK_FALSE(news.worked());
  CHECK_FALSE(news.failed("refused", start + 14s));
  CHECK(news.failed("refused", start + 22s));
  CHECK(news.worked());
}

}  // namespace
}  // namespace tracing
