// Spans of sampled requests, as a collector receives and decodes them.

#include <map>

#include <doctest/doctest.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/collector.hpp"
#include "tests/integration/proxy/held.hpp"
#include "tests/integration/proxy/proxy.hpp"
#include "tests/integration/proxy/tls_harness.hpp"

namespace spillway::test {
namespace {

const std::string kTrusted = "trusted_proxies: [127.0.0.1/32]\n";

TEST_CASE("a sampled request becomes spans of the request and of its time at the API, whose own trace goes on") {
  Collector collector;
  Upstream upstream;
  Proxy proxy(upstream, {.more = collector.keys("sample_ratio: 1, service_name: shop")});
  CHECK(Client(proxy).get("/a/b?secret=1", "User-Agent: test \"1\"\r\n").status == 200);
  const std::vector<Span> spans = collector.await_spans(2);
  const Upstream::Seen request = collector.server.seen().front();
  CHECK(request.head.starts_with("POST /v1/traces HTTP/1.1\r\n"));
  CHECK(field_of(request.head, "Content-Type") == "application/json");
  CHECK(collector.resource["service.name"] == "shop");

  Span server = of_kind(spans, kServer);
  Span client = of_kind(spans, kClient);
  CHECK(server.name == "GET");
  CHECK(server.parent.empty());
  CHECK(client.parent == server.id);
  CHECK(client.trace == server.trace);
  CHECK(server.begin <= client.begin);
  CHECK(client.begin <= client.end);
  CHECK(client.end <= server.end);
  CHECK_FALSE(server.failed);
  CHECK_FALSE(client.failed);
  CHECK(server.attributes["http.request.method"] == "GET");
  CHECK(server.attributes["url.path"] == "/a/b");
  CHECK(server.attributes["url.scheme"] == "http");
  CHECK(server.attributes["client.address"] == "127.0.0.1");
  CHECK(server.attributes["user_agent.original"] == "test \"1\"");
  CHECK(server.attributes["network.protocol.version"] == "1.1");
  CHECK(server.attributes["http.response.status_code"] == "200");
  CHECK(server.attributes["spillway.class"] == "normal");
  CHECK(server.attributes.contains("spillway.queue_ms"));
  CHECK_FALSE(server.attributes.contains("spillway.reason"));
  CHECK(client.attributes["http.response.status_code"] == "200");
  CHECK("127.0.0.1:" + client.attributes["server.port"] == upstream.address());

  const std::string told = field_of(upstream.seen().front().head, "traceparent");
  CHECK(told == "00-" + client.trace + "-" + client.id + "-01");
}

TEST_CASE("of a trace that is continued the caller decides; of others the ratio does") {
  Collector collector;
  Upstream upstream;
  Proxy proxy(upstream, {.more = collector.keys("sample_ratio: 0") + kTrusted});
  CHECK(Client(proxy).get("/none").status == 200);
  CHECK(Client(proxy).get("/left-out", parent("00")).status == 200);
  CHECK(Client(proxy).get("/sampled", parent("01")).status == 200);
  const std::vector<Span> spans = collector.await_spans(2);
  const Span& server = of_kind(spans, kServer);
  CHECK(server.trace == kTrace);
  CHECK(server.parent == kCaller);
  CHECK(server.attributes.at("url.path") == "/sampled");
  const std::vector<Upstream::Seen> seen = upstream.seen();
  CHECK(field_of(seen[0].head, "traceparent").ends_with("-00"));
  CHECK(field_of(seen[1].head, "traceparent").ends_with("-00"));
  CHECK(field_of(seen[2].head, "traceparent") == "00-" + kTrace + "-" + of_kind(spans, kClient).id + "-01");
}

TEST_CASE("of two traceparents none is continued, and of flags only sampled is passed on") {
  Upstream upstream;
  Proxy proxy(upstream, {.more = kTrusted});
  CHECK(Client(proxy).get("/", parent("ff") + "tracestate: a=b\r\n").status == 200);
  CHECK(Client(proxy).get("/", parent("01") + parent("00") + "tracestate: a=b\r\n").status == 200);
  const std::vector<Upstream::Seen> seen = upstream.seen();
  const std::string continued = field_of(seen[0].head, "traceparent"), begun = field_of(seen[1].head, "traceparent");
  CHECK(continued.starts_with("00-" + kTrace + "-"));
  CHECK(continued.ends_with("-01"));
  CHECK(field_of(seen[0].head, "tracestate") == "a=b");
  CHECK(begun.size() == continued.size());
  CHECK(begun.find(kTrace) == std::string::npos);
  CHECK(count_fields(seen[1].head, "traceparent") == 1);
  CHECK(count_fields(seen[1].head, "tracestate") == 0);
}

TEST_CASE("a collector may send informational responses before its answer") {
  Collector collector;
  Upstream slow([](Turn& turn) {
    turn.body();
    turn.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n");
    turn.answer("{}");
  });
  Upstream upstream;
  Proxy proxy(upstream, {.more = "tracing: {endpoint: 'http://" + slow.address() + "', sample_ratio: 1}\n"});
  CHECK(Client(proxy).get("/").status == 200);
  REQUIRE(eventually([&] { return slow.requests() >= 1; }));
  CHECK(proxy.stop() == 0);
  CHECK(proxy.log().find("it answers 100") == std::string::npos);
}

TEST_CASE("an untrusted caller cannot have its requests sampled, and without a collector nobody's are") {
  Collector collector;
  Upstream upstream;
  {
    Proxy proxy(upstream, {.more = collector.keys("sample_ratio: 0")});
    CHECK(Client(proxy).get("/", parent("01")).status == 200);
  }
  CHECK(field_of(upstream.seen().back().head, "traceparent").ends_with("-00"));
  CHECK(collector.server.requests() == 0);
  Proxy proxy(upstream, {.more = "tracing: {sample_ratio: 1}\n"});
  CHECK(Client(proxy).get("/").status == 200);
  CHECK(field_of(upstream.seen().back().head, "traceparent").ends_with("-00"));
}

TEST_CASE("a wait for a slot is a span; a refused request has no span at the API, and says why") {
  Collector collector;
  Upstream upstream([](Turn& turn) {
    turn.hold();
    turn.answer();
  });
  Proxy proxy(upstream, {.admission = admit(1) + ", queue: {max_wait: 60s, max_length: 1}",
                         .more = collector.keys("sample_ratio: 1")});
  Client first(proxy), second(proxy);
  first.start("GET", "/first");
  REQUIRE(eventually([&] { return upstream.inside() == 1; }));
  second.start("GET", "/second");
  REQUIRE(proxy.await_metric("spillway_queue_length", 1));
  CHECK(Client(proxy).get("/third").status == 503);
  upstream.release_all();
  CHECK(first.receive().status == 200);
  CHECK(second.receive().status == 200);

  std::map<std::string, std::vector<Span>> by_trace;
  for (const Span& span : collector.await_spans(6)) by_trace[span.trace].push_back(span);
  std::map<std::string, std::size_t> count;
  for (const auto& [trace, spans] : by_trace) count[of_kind(spans, kServer).attributes.at("url.path")] = spans.size();
  CHECK(count == std::map<std::string, std::size_t>{{"/first", 2}, {"/second", 3}, {"/third", 1}});
  for (const auto& [trace, spans] : by_trace) {
    const Span& server = of_kind(spans, kServer);
    if (spans.size() == 3) {
      const Span& wait = of_kind(spans, kInternal);
      CHECK(wait.parent == server.id);
      CHECK(wait.end <= of_kind(spans, kClient).begin);
      CHECK(std::stod(server.attributes.at("spillway.queue_ms")) > 0);
    }
    if (spans.size() == 1) {
      CHECK(server.failed);
      CHECK(server.attributes.at("spillway.reason") == "queue_full");
      CHECK(server.attributes.at("error.type") == "queue_full");
    }
  }
}

TEST_CASE("the scheme is that of the client's connection, or what a trusted peer tells") {
  Collector collector;
  Upstream upstream;
  const TlsFiles files;
  files.put("site");
  Proxy proxy(upstream, {.listen = files.listen("site"), .more = collector.keys("sample_ratio: 1") + kTrusted});
  CHECK(TlsClient(proxy.port(), files.wish()).get("/secure").starts_with("HTTP/1.1 200 "));
  CHECK(TlsClient(proxy.port(), files.wish()).get("/told", "X-Forwarded-Proto: http\r\n").starts_with("HTTP/1.1 200 "));
  std::map<std::string, std::string> schemes;
  for (const Span& span : collector.await_spans(4)) {
    if (span.kind == kServer) schemes[span.attributes.at("url.path")] = span.attributes.at("url.scheme");
  }
  CHECK(schemes == std::map<std::string, std::string>{{"/secure", "https"}, {"/told", "http"}});
}

TEST_CASE("a span keeps no more than 1 KiB of a path") {
  Collector collector;
  Upstream upstream;
  Proxy proxy(upstream, {.more = collector.keys("sample_ratio: 1")});
  const std::string path(5000, 'a');  // GCC 12 warns of an overflow if it is appended to a character under TSan
  CHECK(Client(proxy).get("/" + path).status == 200);
  const std::vector<Span> spans = collector.await_spans(2);
  CHECK(of_kind(spans, kServer).attributes.at("url.path").size() == 1024);
}

TEST_CASE("a collector that sends an endless line does not take memory") {
  Upstream talkative([](Turn& turn) {
    turn.body();
    turn.wire().send("HTTP/1.1");
    for (const std::string line(1 << 20, 'a'); turn.wire().send(line);) {
    }
  });
  Upstream upstream;
  Proxy proxy(upstream, {.more = "tracing: {endpoint: 'http://" + talkative.address() + "', sample_ratio: 1}\n"});
  const std::size_t before = proxy.memory();
  CHECK(Client(proxy).get("/").status == 200);
  CHECK(proxy.await_log("no HTTP answer"));
  CHECK(proxy.memory() < before + 50'000'000);  // sanitizers add memory at the first use
}

TEST_CASE("a failing API is an error of its span") {
  Collector collector;
  Upstream upstream([](Turn& turn) { turn.close(); });
  Proxy proxy(upstream, {.more = collector.keys("sample_ratio: 1")});
  CHECK(Client(proxy).request("POST", "/", "", "x").status == 502);
  const std::vector<Span> spans = collector.await_spans(2);
  const Span& client = of_kind(spans, kClient);
  CHECK(client.failed);
  CHECK(client.attributes.at("error.type") == "upstream_closed");
  CHECK_FALSE(client.attributes.contains("http.response.status_code"));
  CHECK(of_kind(spans, kServer).attributes.at("http.response.status_code") == "502");
}

TEST_CASE("spans that a collector refuses are dropped and counted; requests do not notice") {
  Collector collector("400 Bad Request");
  Upstream upstream;
  Proxy proxy(upstream, {.more = collector.keys("sample_ratio: 1")});
  CHECK(Client(proxy).get("/").status == 200);
  CHECK(proxy.await_metric("spillway_trace_spans_dropped_total", 2));
  CHECK(proxy.await_log("it answers 400"));
}

TEST_CASE("spans wait for a collector that is away, as many as fit; the rest is counted") {
  Collector collector;
  collector.server.down();
  Upstream upstream;
  Proxy proxy(upstream, {.more = collector.keys("sample_ratio: 1") + "log: {access: off}\n"});
  CHECK(Client(proxy).get("/early").status == 200);
  REQUIRE(proxy.await_log("spans cannot be sent"));
  collector.server.up();
  collector.await_spans(2);
  CHECK(proxy.await_log("are sent to"));
  collector.server.down();
  Client client(proxy);
  for (int i = 0; i < 5000; ++i) REQUIRE(client.get("/").status == 200);
  CHECK(eventually([&] { return proxy.metric("spillway_trace_spans_dropped_total") > 0; }));
}

/// The keys that send spans to a collector behind TLS: another proxy speaks it, with the certificate `a`.
struct SecureCollector {
  explicit SecureCollector(const TlsFiles& files) : proxy(collector.server, {.listen = files.listen("a")}) {
    write_file(files.path("ca.pem"), files.authority.certificate());
  }
  std::string keys(const std::string& more = {}) const {
    return "tracing: {endpoint: 'https://localhost:" + std::to_string(proxy.port()) + "', sample_ratio: 1" + more +
           "}\n";
  }

  Collector collector;
  Proxy proxy;
};

TEST_CASE("spans go to a collector over TLS, whose authority is the configured one or one that the system trusts") {
  const TlsFiles files;
  files.put("a");
  SecureCollector secure(files);
  Upstream upstream;
  const Proxy told(upstream, {.more = secure.keys(", ca: '" + files.path("ca.pem") + "'")});
  CHECK(Client(told).get("/").status == 200);
  secure.collector.await_spans(2);
  CHECK(field_of(secure.collector.server.seen().front().head, "Host") ==
        "localhost:" + std::to_string(secure.proxy.port()));
  const Proxy system(upstream, {.more = secure.keys(), .environment = {{"SSL_CERT_FILE", files.path("ca.pem")}}});
  CHECK(Client(system).get("/").status == 200);
  secure.collector.await_spans(4);
}

TEST_CASE("a collector whose certificate is not as it should be gets no span, and the log says which check failed") {
  const TlsFiles files, strangers{.authority = Authority("Strangers")};
  struct Row {
    Wanted wanted;
    const TlsFiles& trusted;
    const char* said;
  };
  for (const Row& row : {Row{{.names = {"other.example"}}, files, "certificate refused: hostname mismatch"},
                         Row{{}, strangers, "certificate refused: self-signed certificate in certificate chain"}}) {
    CAPTURE(std::string(row.said));
    files.put("a", row.wanted);
    write_file(row.trusted.path("trusted.pem"), row.trusted.authority.certificate());
    SecureCollector secure(files);
    Upstream upstream;
    Proxy proxy(upstream, {.more = secure.keys(", ca: '" + row.trusted.path("trusted.pem") + "'")});
    CHECK(Client(proxy).get("/").status == 200);
    CHECK(proxy.await_log("spans cannot be sent to localhost:" + std::to_string(secure.proxy.port()) +
                          ": TLS: " + row.said));
    CHECK(Client(proxy).get("/").status == 200);
    CHECK(secure.collector.server.requests() == 0);
    CHECK(proxy.stop() == 0);
  }
}

TEST_CASE("a collector without TLS is told from one that is away; a file of authorities without any is an error") {
  const TlsFiles files;
  Upstream upstream;
  const Proxy plain(upstream);  // answers what is no HTTP
  const Proxy proxy(upstream, {.more = "tracing: {endpoint: 'https://127.0.0.1:" + std::to_string(plain.port()) +
                                       "', sample_ratio: 1}\n"});
  CHECK(Client(proxy).get("/").status == 200);
  CHECK(proxy.await_log("TLS: wrong version number"));

  write_file(files.path("empty.pem"), "nothing\n");
  write_file(files.path("proxy.yaml"), "upstream: {address: '127.0.0.1:1'}\ntracing: {endpoint: 'https://otel', ca: '" +
                                           files.path("empty.pem") + "'}\n");
  support::Process bad({{program(), "--config", files.path("proxy.yaml")}, {}, {}, true});
  CHECK(bad.wait() == 1);
  CHECK(bad.log().find("tracing.ca: " + files.path("empty.pem") + ": holds no certificate in PEM") !=
        std::string::npos);
}

TEST_CASE("a collector that hangs does not keep the process") {
  Collector collector;
  Upstream upstream;
  Upstream hanging([](Turn& turn) { turn.hold(); });
  Proxy proxy(upstream, {.more = "tracing: {endpoint: 'http://" + hanging.address() + "/', sample_ratio: 1}\n"});
  CHECK(Client(proxy).get("/").status == 200);
  REQUIRE(eventually([&] { return hanging.inside() > 0; }));
  CHECK(Client(proxy).get("/").status == 200);
  CHECK(proxy.stop() == 0);
  hanging.release_all();
}

}  // namespace
}  // namespace spillway::test
