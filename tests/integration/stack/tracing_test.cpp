// Spans of the API, as a collector receives and decodes them, with and without the proxy in front.

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/integration/api/client.hpp"
#include "tests/integration/api/database.hpp"
#include "tests/integration/api/program.hpp"
#include "tests/integration/proxy/collector.hpp"
#include "tests/integration/proxy/proxy.hpp"
#include "tests/integration/proxy/tls_harness.hpp"

namespace spillway::test {
namespace {

using api::test::Database;
using api::test::Program;
using api::test::Reply;
using ApiClient = api::test::Client;

std::string api_config(const std::string& more, const std::string& database = "pool_size: 2") {
  return "listen: 127.0.0.1:0\ndatabase: {url: \"" + Database::shared().url() + "\", " + database + "}\n" + more;
}

bool has_path(const std::vector<Span>& spans, const std::string& path) {
  return std::ranges::any_of(spans, [&](const Span& span) {
    const auto found = span.attributes.find("url.path");
    return found != span.attributes.end() && found->second == path;
  });
}

/// The spans of the trace that has a request of this path, as soon as the API's part is there.
std::vector<Span> trace_of(Collector& collector, const std::string& path, std::size_t servers) {
  const auto of_path = [&](const Span& span) {
    return span.kind == kServer && span.attributes.contains("url.path") && span.attributes.at("url.path") == path;
  };
  std::vector<Span> all = collector.await([&](const std::vector<Span>& spans) {
    return static_cast<std::size_t>(std::ranges::count_if(spans, of_path)) >= servers;
  });
  const auto request = std::ranges::find_if(all, of_path);
  REQUIRE(request != all.end());
  const std::string trace = request->trace;
  std::erase_if(all, [&](const Span& span) { return span.trace != trace; });
  std::ranges::sort(all, {}, &Span::begin);
  return all;
}

const Span& named(const std::vector<Span>& spans, const std::string& service, const std::string& name) {
  const auto found =
      std::ranges::find_if(spans, [&](const Span& span) { return span.service == service && span.name == name; });
  REQUIRE_MESSAGE(found != spans.end(), name);
  return *found;
}

void print(const std::vector<Span>& spans) {
  std::string text = "trace " + spans.front().trace;
  for (const Span& span : spans) {
    char line[200];
    std::snprintf(line, sizeof line, "\n  %s  parent %-16s  %8.3f ms at +%.3f ms  %s: %s", span.id.c_str(),
                  span.parent.empty() ? "none" : span.parent.c_str(), static_cast<double>(span.end - span.begin) / 1e6,
                  static_cast<double>(span.begin - spans.front().begin) / 1e6, span.service.c_str(), span.name.c_str());
    text += line;
  }
  MESSAGE(text);
}

TEST_CASE("one trace leads from the proxy through the API to its wait for a connection and its query") {
  Collector collector;
  const Program api(api_config(collector.keys("sample_ratio: 0, service_name: api"), "pool_size: 1, max_overflow: 0"));
  api.await_ready();
  const Proxy proxy(
      "listen: 127.0.0.1:0\nadmin: {listen: \"127.0.0.1:0\"}\nadmission: {pool_aware: false}\n"
      "upstream: {address: \"127.0.0.1:" +
      std::to_string(api.port()) + "\", health: {interval: 100ms, timeout: 100ms}}\n" +
      collector.keys("sample_ratio: 1, service_name: proxy"));
  REQUIRE(proxy.await_metric("spillway_upstream_healthy", 1));
  ApiClient first(proxy.port()), second(proxy.port());
  first.login();
  second.use_token(first.token());
  {
    const api::test::TableLock lock;
    first.start("GET", "/api/v1/scholarships/1?unused=secret");
    REQUIRE(proxy.await_metric("database_pool_checkedin", 0));
    second.start("GET", "/api/v1/scholarships/2");
    REQUIRE(proxy.await_metric("database_pool_waiters", 1));
  }
  CHECK(first.receive().status == 200);
  CHECK(second.receive().status == 200);

  const std::vector<Span> spans = trace_of(collector, "/api/v1/scholarships/2", 2);
  print(spans);
  const Span& front = named(spans, "proxy", "GET");
  const Span& server = named(spans, "api", "GET /api/v1/scholarships/{id}");
  const Span& wait = named(spans, "api", "pool wait");
  const Span& query = named(spans, "api", "SELECT scholarship");
  CHECK(front.parent.empty());
  const Span& sent =
      *std::ranges::find_if(spans, [](const Span& span) { return span.service == "proxy" && span.kind == kClient; });
  CHECK(sent.parent == front.id);
  CHECK(server.kind == kServer);
  CHECK(server.parent == sent.id);
  CHECK(server.attributes.at("http.route") == "/api/v1/scholarships/{id}");
  CHECK(server.attributes.at("http.response.status_code") == "200");
  CHECK(server.attributes.at("client.address") == "127.0.0.1");
  CHECK(wait.parent == server.id);
  CHECK(wait.kind == kInternal);
  CHECK_FALSE(wait.failed);
  CHECK(query.parent == server.id);
  CHECK(query.kind == kClient);
  CHECK(query.attributes.at("db.system.name") == "postgresql");
  CHECK(query.attributes.at("db.operation.name") == "SELECT");
  CHECK(query.attributes.at("db.query.summary") == "SELECT scholarship");
  CHECK(query.attributes.contains("server.address"));
  CHECK(server.begin <= wait.begin);
  CHECK(wait.begin < wait.end);
  CHECK(wait.end <= query.begin);
  CHECK(query.begin < query.end);
  CHECK(query.end <= server.end);

  // The login has asked twice; no span tells what with.
  const std::vector<Span> login = trace_of(collector, "/api/v1/auth/login", 2);
  const Span& root = named(login, "api", "POST /api/v1/auth/login");
  CHECK(named(login, "api", "SELECT user").parent == root.id);
  CHECK(named(login, "api", "SELECT note_login").parent == root.id);
  for (const Upstream::Seen& seen : collector.server.seen()) {
    for (const char* secret : {"admin123", "secret", "argon2", first.token().c_str()}) {
      CHECK(seen.body.find(secret) == std::string::npos);
    }
  }
}

TEST_CASE("a trusted caller decides, the ratio where a trace begins; a malformed or a doubled traceparent begins one") {
  Collector collector;
  const Program api(api_config(collector.keys("sample_ratio: 1, service_name: api")));
  api.await_ready();
  ApiClient client(api.port());
  const auto get = [&](const std::string& path, const std::string& fields) {
    CHECK(client.request("GET", path, {}, fields).status == 404);
  };
  get("/left-out", parent("00"));
  get("/continued", parent("01"));
  get("/begun", "");
  get("/malformed", "traceparent: 00-" + kTrace + "-" + kCaller + "-1\r\n");
  get("/doubled", parent("00") + parent("01"));
  CHECK(client.request("GET", "/health").status == 200);
  get("/last", parent("01"));
  const std::vector<Span> spans =
      collector.await([](const std::vector<Span>& so_far) { return has_path(so_far, "/last"); });
  CHECK(spans.size() == 5);
  for (const Span& span : spans) {
    const std::string& path = span.attributes.at("url.path");
    CAPTURE(path);
    const bool continued = path == "/continued" || path == "/last";
    CHECK((span.trace == kTrace) == continued);
    CHECK(span.parent == (continued ? kCaller : ""));
    CHECK(span.name == "GET");
    CHECK_FALSE(span.attributes.contains("http.route"));
  }
  CHECK_FALSE(has_path(spans, "/left-out"));
}

TEST_CASE("a caller that is not trusted cannot have its requests sampled; a reload changes the ratio") {
  Collector collector;
  const auto config = [&](const std::string& ratio) {
    return api_config(collector.keys("sample_ratio: " + ratio) + "trusted_proxies: []\n");
  };
  const Program api(config("0"));
  api.await_ready();
  ApiClient client(api.port());
  CHECK(client.request("GET", "/stranger", {}, parent("01")).status == 404);
  api.rewrite_config(config("1"));
  api.signal(SIGHUP);
  REQUIRE(api.await_log("reloaded"));
  CHECK(client.request("GET", "/own", {}, parent("00")).status == 404);
  const std::vector<Span> spans = collector.await_spans(1);
  CHECK(spans.front().attributes.at("url.path") == "/own");
  CHECK(spans.front().trace != kTrace);
}

TEST_CASE("a query that fails is an error of its span, with the server's code, and of the request") {
  Collector collector;
  const Program api(api_config(collector.keys("sample_ratio: 1"), "pool_size: 2, statement_timeout: 1s"));
  api.await_ready();
  ApiClient user(api.port());
  user.login();
  {
    const api::test::TableLock lock;
    CHECK(user.request("GET", "/api/v1/scholarships/7").status == 503);
  }
  const std::vector<Span> spans = trace_of(collector, "/api/v1/scholarships/7", 1);
  const Span& query = named(spans, "scholarship-api", "SELECT scholarship");
  CHECK(query.failed);
  CHECK(query.attributes.at("db.response.status_code") == "57014");
  CHECK(query.attributes.at("error.type") == "57014");
  const Span& request = named(spans, "scholarship-api", "GET /api/v1/scholarships/{id}");
  CHECK(request.failed);
  CHECK(request.attributes.at("error.type") == "statement_timeout");
}

double lost_spans(const std::string& admin) {
  const std::string page = ApiClient(admin).request("GET", "/metrics").body;
  const std::string name = "\nscholarship_api_trace_spans_dropped_total ";
  const std::size_t at = page.find(name);
  REQUIRE(at != std::string::npos);
  return std::stod(page.substr(at + name.size()));
}

TEST_CASE("a collector that is away costs spans, which are counted, and no request") {
  Collector collector;
  collector.server.down();
  const Folder folder;
  const std::string admin = folder.path("admin.sock");
  Program api(api_config(collector.keys("sample_ratio: 1") + "admin: {listen: \"unix:" + admin + "\"}\n"));
  api.await_ready();
  CHECK(lost_spans(admin) == 0);
  ApiClient client(api.port());
  for (int i = 0; i < 5000; ++i) REQUIRE(client.request("GET", "/api/v1/openapi.json").status == 200);
  CHECK(eventually([&] { return lost_spans(admin) > 0; }));
  CHECK(api.await_log("spans cannot be sent to " + collector.server.address()));
  CHECK(api.stop() == 0);
}

TEST_CASE("a collector that hangs keeps neither requests nor the process") {
  Upstream hanging([](Turn& turn) { turn.hold(); });
  Program api(api_config("tracing: {endpoint: 'http://" + hanging.address() + "', sample_ratio: 1}\n"));
  api.await_ready();
  ApiClient client(api.port());
  CHECK(client.request("GET", "/api/v1/openapi.json").status == 200);
  REQUIRE(eventually([&] { return hanging.inside() > 0; }));
  for (int i = 0; i < 100; ++i) CHECK(client.request("GET", "/api/v1/openapi.json").status == 200);
  CHECK(api.stop() == 0);
  hanging.release_all();
}

TEST_CASE("the API speaks TLS to its collector, and says which check of its certificate has failed") {
  const TlsFiles files;
  write_file(files.path("ca.pem"), files.authority.certificate());
  const auto config = [&](const Proxy& secure) {
    return api_config("tracing: {endpoint: 'https://localhost:" + std::to_string(secure.port()) +
                      "', sample_ratio: 1, ca: '" + files.path("ca.pem") + "'}\n");
  };
  Collector collector;
  files.put("good");
  files.put("bad", {.names = {"other.example"}});
  const Proxy good(collector.server, {.listen = files.listen("good")});
  const Program api(config(good));
  api.await_ready();
  CHECK(ApiClient(api.port()).request("GET", "/over-tls").status == 404);
  CHECK(has_path(collector.await_spans(1), "/over-tls"));

  const Proxy bad(collector.server, {.listen = files.listen("bad")});
  const Program other(config(bad));
  other.await_ready();
  CHECK(ApiClient(other.port()).request("GET", "/refused").status == 404);
  CHECK(other.await_log("spans cannot be sent to localhost:" + std::to_string(bad.port()) +
                        ": TLS: certificate refused: hostname mismatch"));
  CHECK(collector.server.requests() == 1);

  Program broken(api::test::Start{
      api_config("tracing: {endpoint: 'https://localhost', ca: '" + files.path("good.key") + "'}\n"), {}, {}, {}});
  CHECK(broken.wait() == 1);
  CHECK(broken.log().find("tracing.ca: ") != std::string::npos);
}

}  // namespace
}  // namespace spillway::test
