// What the log says of requests, and that writing it never delays one.

#include <csignal>
#include <sstream>

#include <doctest/doctest.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"

namespace spillway::test {
namespace {

std::vector<std::string> lines_with(const Proxy& proxy, const std::string& text) {
  std::vector<std::string> found;
  std::istringstream lines(proxy.log());
  for (std::string line; std::getline(lines, line);) {
    if (line.find(text) != std::string::npos) found.push_back(line);
  }
  return found;
}

TEST_CASE("a request is one JSON line with all its facts except the query") {
  Upstream upstream([](Turn& turn) { turn.answer("four"); });
  Proxy proxy(upstream, {.more = "trusted_proxies: [127.0.0.0/8]\nlog: {format: json}\n"});
  CHECK(Client(proxy).request("POST", "/path?secret=1", "X-Request-ID: the-id\r\n", "body").status == 200);
  REQUIRE(proxy.await_log("the-id"));
  const std::string line = lines_with(proxy, "the-id").front();
  CAPTURE(line);
  for (const char* part :
       {R"({"time":"20)", R"("request_id":"the-id")", R"("trace_id":")", R"("client":"127.0.0.1")",
        R"("method":"POST")", R"("path":"/path",)", R"("status":200)", R"("outcome":"ok")", R"("reason":"")",
        R"("class":"normal")", R"("queue_ms":0.000)", R"("upstream_ms":)", R"("total_ms":)", R"("bytes_in":4)",
        R"("bytes_out":4)", R"("in_flight":1)", R"("limit":100)", R"("retries":0})"}) {
    CHECK_MESSAGE(line.find(part) != std::string::npos, part);
  }
}

/// The members of the line with `text`, each with its comma, so that a test can look for `,"name":value,`.
std::string line_with(const Proxy& proxy, const std::string& text) {
  REQUIRE(proxy.await_log(text));
  std::string line = lines_with(proxy, text).front();
  line.front() = ',';
  line.back() = ',';
  return line;
}

void check_parts(const std::string& line, std::initializer_list<const char*> parts) {
  CAPTURE(line);
  for (const char* part : parts) CHECK_MESSAGE(line.find(part) != std::string::npos, part);
}

TEST_CASE("a line tells who asked whom for what") {
  Upstream upstream;
  Proxy proxy(upstream);
  const std::string id = "the \"client's\" id " + std::string(200, 'x');
  CHECK(Client(proxy).get("/who", "User-Agent: curl/8 \"x\" \xff\r\nX-Request-ID: " + id + "\r\n").status == 200);
  const std::string line = line_with(proxy, "/who");
  const std::string kept = R"(,"client_request_id":"the \"client's\" id )" + std::string(128 - 18, 'x') + "\",";
  const std::string address = R"(,"upstream_address":")" + upstream.address() + "\",";
  check_parts(line, {R"(,"level":"info",)", R"(,"client":"127.0.0.1",)", R"(,"protocol":"HTTP/1.1",)",
                     R"(,"host":"test",)", "\"user_agent\":\"curl/8 \\\"x\\\" \xef\xbf\xbd\",",
                     R"(,"upstream_status":200,)", kept.c_str(), address.c_str()});
  for (const char* part : {"peer", "would_refuse", "error", "rule", "stream"}) {
    CHECK(line.find(std::string(",\"") + part + "\":") == std::string::npos);
  }
}

TEST_CASE("a huge user agent takes a bounded part of a line") {
  Upstream upstream;
  Proxy proxy(upstream);
  CHECK(Client(proxy).get("/huge", "User-Agent: " + std::string(12'000, '\\') + "\r\n").status == 200);
  CHECK(line_with(proxy, "/huge").size() < 2'000);
}

TEST_CASE("behind a trusted proxy the client is the client, and the proxy is its peer") {
  Upstream upstream;
  Proxy proxy(upstream, {.more = "trusted_proxies: [127.0.0.0/8]\n"});
  CHECK(Client(proxy).get("/one", "X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\n").status == 200);
  check_parts(line_with(proxy, "/one"), {R"(,"client":"192.0.2.7","peer":"127.0.0.1",)"});
  CHECK(Client(proxy).get("/two", "Forwarded: for=\"[2001:db8::7]:1\"\r\n").status == 200);
  check_parts(line_with(proxy, "/two"), {R"(,"client":"2001:db8::7","peer":"127.0.0.1",)"});
}

TEST_CASE("what cannot be read is logged as far as it was, and with the rule it broke") {
  Upstream upstream;
  Proxy proxy(upstream);
  CHECK(Client(proxy).request("GET", "/half?secret=1", "X-A : b\r\n").status == 400);
  check_parts(line_with(proxy, "/half"), {R"(,"method":"GET","path":"/half",)", R"(,"host":"test",)",
                                          R"(,"status":400,)", R"(,"reason":"bad_request",)", R"(,"rule":")"});
  CHECK(lines_with(proxy, "secret").empty());
  Client odd(proxy);
  REQUIRE(odd.send("G\x01T /\x1b[2J\xff\" HTTP/1.1\r\nHost: a\n\"b\r\n\r\n"));
  CHECK(odd.receive().status == 400);
  check_parts(line_with(proxy, "\\u001b"),
              {R"(,"method":"G\u0001T",)", "\"path\":\"/\\u001b[2J\xef\xbf\xbd\\\"\"", R"(,"host":"a",)"});
}

TEST_CASE("an API that cannot be reached is named with the error") {
  Upstream upstream;
  Proxy proxy(upstream);
  upstream.down();
  CHECK(Client(proxy).get("/gone").status == 502);
  const std::string error = R"(,"error":")" + upstream.address() + R"x(: Connection refused (111)",)x";
  check_parts(line_with(proxy, "/gone"), {R"(,"level":"error",)", R"(,"reason":"connect_failed",)", error.c_str()});
}

TEST_CASE("a malformed answer is logged with the rule it broke, a missing one with how it ended") {
  Upstream upstream([](Turn& turn) {
    if (turn.request() == "GET /odd") return turn.send("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n");
    turn.close();
  });
  Proxy proxy(upstream);
  CHECK(Client(proxy).get("/odd").status == 502);
  check_parts(line_with(proxy, "/odd"), {R"(,"reason":"response_invalid",)", R"(,"rule":")"});
  CHECK(Client(proxy).get("/closed").status == 502);
  const std::string error = R"(,"error":")" + upstream.address() + R"(: closed",)";
  check_parts(line_with(proxy, "/closed"), {R"(,"reason":"upstream_closed",)", error.c_str()});
}

TEST_CASE("the bytes of a refusal count, and shadow says what would have been refused") {
  Upstream upstream;
  {
    Proxy proxy(upstream, {.admission = "shed_at: 0"});
    const Reply reply = Client(proxy).get("/refused");
    CHECK(reply.status == 503);
    const std::string bytes = R"(,"bytes_out":)" + std::to_string(reply.body.size()) + ',';
    check_parts(line_with(proxy, "/refused"), {R"(,"level":"warn",)", R"(,"outcome":"shed",)", bytes.c_str()});
  }
  Proxy proxy(upstream, {.admission = "mode: shadow, shed_at: 0"});
  CHECK(Client(proxy).get("/shadow").status == 200);
  check_parts(line_with(proxy, "/shadow"), {R"(,"would_refuse":"capacity",)"});
}

TEST_CASE("log.fields chooses what a line has, also after a reload") {
  Upstream upstream;
  Settings settings{.more = "log: {format: json, fields: [status, path]}\n"};
  Proxy proxy(upstream, settings);
  CHECK(Client(proxy).get("/few").status == 200);
  REQUIRE(proxy.await_log("/few"));
  CHECK(lines_with(proxy, "/few").front() == R"({"path":"/few","status":200})");
  settings.more = "log: {format: json, fields: [path, method]}\n";
  proxy.configure(settings);
  proxy.signal(SIGHUP);
  REQUIRE(proxy.await_log("configuration reloaded"));
  CHECK(Client(proxy).get("/other").status == 200);
  REQUIRE(proxy.await_log("/other"));
  CHECK(lines_with(proxy, "/other").front() == R"({"method":"GET","path":"/other"})");
}

TEST_CASE("a peer that keeps sending X-Forwarded-For unbelieved is named once") {
  Upstream upstream;
  Proxy proxy(upstream);
  Client client(proxy);
  const std::string warning = "127.0.0.1 keeps sending X-Forwarded-For";
  for (int i = 0; i < 50; ++i) REQUIRE(client.get("/", "X-Forwarded-For: 192.0.2.1\r\n").status == 200);
  CHECK(proxy.log().find(warning) == std::string::npos);
  for (int i = 0; i < 250; ++i) REQUIRE(client.get("/", "X-Forwarded-For: 192.0.2.1\r\n").status == 200);
  CHECK(proxy.await_log("name it in trusted_proxies"));
  CHECK(lines_with(proxy, warning).size() == 1);
}

TEST_CASE("a reload can log the query, or errors only") {
  Upstream upstream;
  Settings settings{.more = "log: {format: json, query: true}\n"};
  Proxy proxy(upstream, settings);
  CHECK(Client(proxy).get("/a?b=c").status == 200);
  CHECK(proxy.await_log(R"("path":"/a?b=c")"));
  settings.more = "log: {format: json, access: errors}\n";
  settings.limits = "body: 3";
  proxy.configure(settings);
  proxy.signal(SIGHUP);
  REQUIRE(proxy.await_log("configuration reloaded"));
  CHECK(Client(proxy).get("/fine").status == 200);
  CHECK(Client(proxy).request("POST", "/large", {}, "too large").status == 413);
  CHECK(proxy.await_log("/large"));
  CHECK(lines_with(proxy, "/fine").empty());
}

TEST_CASE("the text format has colours on a terminal only") {
  Upstream upstream;
  Proxy proxy(upstream, {.more = "log: {format: text}\n"});
  const Reply reply = Client(proxy).get("/text");
  CHECK(reply.status == 200);
  REQUIRE(proxy.await_log("/text"));
  const std::string line = lines_with(proxy, "/text").front();
  CHECK(line.find("200 ok 127.0.0.1 GET /text") != std::string::npos);
  CHECK(line.find("1/100") != std::string::npos);
  CHECK(line.ends_with(" " + reply.field("X-Request-ID")));
  CHECK(proxy.log().find('\x1b') == std::string::npos);
}

TEST_CASE("the log of the start names the listeners and the limits") {
  Upstream upstream;
  Proxy proxy(upstream, {.admission = "max_concurrent: 50, shed_at: 0.5",
                         .more = "classes: [{name: vip, shed_at: 1, match: [{path: /vip}]}]\n"});
  CHECK(proxy.log().find("listening on 127.0.0.1:" + std::to_string(proxy.port())) != std::string::npos);
  CHECK(proxy.log().find("admin on 127.0.0.1:") != std::string::npos);
  CHECK(proxy.log().find("admitting 50, shedding normal at 25, shedding vip at 50") != std::string::npos);
}

TEST_CASE("the first hundred refusals of a second are logged, and the number of the others") {
  constexpr int kRequests = 1000;
  Upstream upstream;
  Proxy proxy(upstream, {.admission = "shed_at: 0"});
  Client client(proxy);
  for (int i = 0; i < kRequests; ++i) REQUIRE(client.get("/refused").status == 503);
  int logged = 0, left_out = 0;
  const bool all = eventually([&] {
    logged = static_cast<int>(lines_with(proxy, R"("path":"/refused")").size());
    left_out = 0;
    const std::string before = R"("message":")";
    for (const std::string& line : lines_with(proxy, "further refusals for capacity")) {
      left_out += std::stoi(line.substr(line.find(before) + before.size()));
    }
    return logged + left_out == kRequests;
  });
  CHECK(all);
  CHECK(logged >= 100);
  MESSAGE(logged, " logged, ", left_out, " left out");
}

TEST_CASE("a stalled reader of the log loses lines, which are counted, and fails no request") {
  constexpr int kRequests = 15'000;  // pipe, sink and queue together hold about 10,000
  Upstream upstream;
  Proxy proxy(upstream);
  const double before = proxy.metric("spillway_log_lines_dropped_total");
  CHECK(before == 0);
  proxy.pause_log();
  Client client(proxy);
  for (int i = 0; i < kRequests; ++i) REQUIRE(client.get("/stalled").status == 200);
  CHECK(eventually([&] { return proxy.metric("spillway_log_lines_dropped_total") > 0; }));
  proxy.resume_log();
  CHECK(eventually([&] {
    const auto seen = static_cast<double>(lines_with(proxy, "/stalled").size());
    return seen + proxy.metric("spillway_log_lines_dropped_total") == kRequests;
  }));
  CHECK(client.get("/after").status == 200);
  CHECK(proxy.await_log("/after"));
}

TEST_CASE("a stalled reader of the log does not keep the proxy from stopping") {
  Upstream upstream;
  Proxy proxy(upstream);
  proxy.pause_log();
  Client client(proxy);
  for (int i = 0; i < 1000; ++i) REQUIRE(client.get("/stalled").status == 200);
  client.close();
  CHECK(proxy.stop() == 0);
  proxy.resume_log();
}

}  // namespace
}  // namespace spillway::test
