// Header fields: hop-by-hop fields are dropped, and fields of the proxy are added.

#include <ctime>

#include <doctest/doctest.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/http2_client.hpp"
#include "tests/integration/proxy/proxy.hpp"

namespace spillway::test {
namespace {

std::string head_at_api(const Upstream& upstream) {
  return upstream.seen().back().head;
}

TEST_CASE("hop-by-hop fields of the client are not forwarded to the API") {
  Upstream upstream;
  Proxy proxy(upstream);
  const Reply reply =
      Client(proxy).get("/",
                        "Connection: keep-alive, X-Named\r\nX-Named: a\r\nKeep-Alive: 5\r\nTE: trailers\r\n"
                        "Proxy-Connection: close\r\nProxy-Authorization: secret\r\nUpgrade: h2c\r\n"
                        "X-Kept: b\r\nAccept: */*\r\nCookie: a=b\r\n");
  CHECK(reply.status == 200);
  const std::string head = head_at_api(upstream);
  for (const char* name : {"Connection", "X-Named", "Keep-Alive", "TE", "Proxy-Connection", "Upgrade"}) {
    CAPTURE(name);
    CHECK(count_fields(head, name) == 0);
  }
  CHECK(field_of(head, "X-Kept") == "b");
  CHECK(field_of(head, "Accept") == "*/*");
  CHECK(field_of(head, "Cookie") == "a=b");
}

TEST_CASE("hop-by-hop fields of the API are not forwarded to the client") {
  Upstream upstream([](Turn& turn) {
    turn.answer(
        "ok",
        "Connection: X-Named, keep-alive\r\nX-Named: a\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\n"
        "Trailer: X\r\nUpgrade: h2c\r\nServer: api\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
        "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n");
  });
  Proxy proxy(upstream);
  const Reply reply = Client(proxy).get("/");
  CHECK(reply.body == "ok");
  for (const char* name : {"Connection", "X-Named", "Keep-Alive", "Trailer", "Upgrade"}) {
    CAPTURE(name);
    CHECK_FALSE(reply.has(name));
  }
  CHECK(reply.field("Server") == "api");
  CHECK(reply.field("Date") == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(count_fields(reply.head, "Set-Cookie") == 2);
  CHECK(reply.field("Via") == "1.1 spillway");
}

TEST_CASE("9110 6.6.1: a final response without Date gets the time at which it came, and no other one does") {
  const std::string given = "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n";
  Upstream upstream([&](Turn& turn) {
    turn.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    if (turn.request() == "GET /failed") return turn.send("HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n");
    if (turn.request() == "GET /given") return turn.answer("ok", given);
    turn.answer("ok", turn.request() == "GET /named" ? given + "Connection: date\r\n" : "");
  });
  Proxy proxy(upstream, {.listen = kHttp2Listen});
  Client http1(proxy);
  H2Client http2(proxy);
  const std::time_t begin = std::time(nullptr);
  const auto is_now = [&](const std::string& date) {
    std::tm parts{};
    const char* const end = ::strptime(date.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    const std::time_t time = ::timegm(&parts);
    return end && *end == '\0' && time >= begin && time <= std::time(nullptr);
  };
  for (const char* path : {"/", "/failed", "/named", "/given"}) {
    CAPTURE(path);
    const bool has_one = std::string_view(path) == "/given";
    http1.start("GET", path);
    CHECK_FALSE(http1.receive().has("Date"));  // 103
    const Reply reply = http1.receive();
    CHECK(count_fields(reply.head, "Date") == 1);
    CHECK(is_now(reply.field("Date")) == !has_one);

    const H2Reply same = http2.get(path);
    REQUIRE(same.interim.size() == 1);
    const auto dates = [](const Fields& fields) {
      return std::count_if(fields.begin(), fields.end(), [](const auto& field) { return field.first == "date"; });
    };
    CHECK(dates(same.interim[0]) == 0);
    CHECK(dates(same.fields) == 1);
    CHECK(is_now(same.field("date")) == !has_one);
  }
}

TEST_CASE("the API is told the client and the proxies; fields of an untrusted peer are replaced") {
  Upstream upstream;
  Proxy proxy(upstream);
  const std::string claimed =
      "X-Forwarded-For: 10.9.8.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nForwarded: for=10.9.8.7\r\n"
      "X-Request-ID: mine-0123456789\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
  const Reply reply = Client(proxy).get("/", claimed);
  const std::string head = head_at_api(upstream);
  CHECK(field_of(head, "Host") == "test");
  CHECK(field_of(head, "X-Forwarded-For") == "127.0.0.1");
  CHECK(field_of(head, "X-Forwarded-Proto") == "http");
  CHECK(field_of(head, "X-Forwarded-Host") == "test");
  CHECK(count_fields(head, "Forwarded") == 0);
  CHECK(field_of(head, "Via").starts_with("1.1 spillway-"));
  CHECK(field_of(head, "X-Request-ID") != "mine-0123456789");
  CHECK(field_of(head, "X-Request-ID").size() >= 16);
  CHECK(reply.field("X-Request-ID") == field_of(head, "X-Request-ID"));
  CHECK(field_of(head, "traceparent").size() == 55);
  CHECK(field_of(head, "traceparent").find("0af7651916cd43dd") == std::string::npos);
  for (const char* name : {"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Request-ID", "traceparent"}) {
    CHECK(count_fields(head, name) == 1);
  }
}

TEST_CASE("X-Forwarded-For of a trusted peer is extended") {
  Upstream upstream;
  Proxy proxy(upstream, {.more = "trusted_proxies: [127.0.0.0/8]\n"});
  const Reply reply = Client(proxy).get(
      "/",
      "X-Forwarded-For: 10.9.8.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop\r\nVia: 1.1 edge\r\n"
      "X-Request-ID: mine-0123456789\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n");
  const std::string head = head_at_api(upstream);
  CHECK(field_of(head, "X-Forwarded-For") == "10.9.8.7, 127.0.0.1");
  CHECK(field_of(head, "X-Forwarded-Proto") == "https");
  CHECK(field_of(head, "X-Forwarded-Host") == "shop");
  CHECK(field_of(head, "Via").starts_with("1.1 edge, 1.1 spillway-"));
  CHECK(field_of(head, "X-Request-ID") == "mine-0123456789");
  CHECK(reply.field("X-Request-ID") == "mine-0123456789");
  CHECK(field_of(head, "traceparent").starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
  CHECK(field_of(head, "traceparent").find("b7ad6b7169203331") == std::string::npos);
}

TEST_CASE("Forwarded of a trusted peer tells the client where there is no X-Forwarded-For") {
  Upstream upstream;
  Proxy proxy(upstream, {.more = "trusted_proxies: [127.0.0.0/8]\n"});
  CHECK(Client(proxy).get("/", "Forwarded: for=192.0.2.7;proto=https;host=shop\r\n").status == 200);
  CHECK(field_of(head_at_api(upstream), "X-Forwarded-For") == "192.0.2.7, 127.0.0.1");
  CHECK(field_of(head_at_api(upstream), "X-Forwarded-Proto") == "https");
  CHECK(field_of(head_at_api(upstream), "Forwarded") == "for=192.0.2.7;proto=https;host=shop");
  CHECK(field_of(head_at_api(upstream), "X-Forwarded-Host") == "shop");
  CHECK(Client(proxy).get("/", "Forwarded: for=6.6.6.6\r\nX-Forwarded-For: 192.0.2.7\r\n").status == 200);
  CHECK(field_of(head_at_api(upstream), "X-Forwarded-For") == "192.0.2.7, 127.0.0.1");
  CHECK(Client(proxy).get("/", "Forwarded: for=\"\r\n").status == 200);
  CHECK(field_of(head_at_api(upstream), "X-Forwarded-For") == "127.0.0.1");
}

TEST_CASE("a trace is continued with its state if the peer is trusted, or everybody is") {
  const std::string parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  for (const auto& [more, continued] :
       {std::pair{"", false}, {"trusted_proxies: [127.0.0.0/8]\n", true}, {"trust_traces: true\n", true}}) {
    CAPTURE(more);
    Upstream upstream;
    Proxy proxy(upstream, {.more = more});
    CHECK(Client(proxy).get("/", "traceparent: " + parent + "\r\ntracestate: a=1,b=2\r\n").status == 200);
    const std::string sent = field_of(head_at_api(upstream), "traceparent");
    CHECK(sent.starts_with(parent.substr(0, 36)) == continued);
    CHECK(sent.ends_with("-01") == continued);  // the sampled flag
    CHECK(sent.find("b7ad6b7169203331") == std::string::npos);
    CHECK(field_of(head_at_api(upstream), "tracestate") == (continued ? "a=1,b=2" : ""));
  }
}

TEST_CASE("with Forwarded switched on, that of an untrusted peer is replaced and that of a trusted peer extended") {
  const std::string claimed = "Forwarded: for=10.9.8.7;proto=https\r\n";
  for (const bool trusted : {false, true}) {
    CAPTURE(trusted);
    const std::string trust = trusted ? "trusted_proxies: [127.0.0.0/8]\n" : "";
    Upstream upstream;
    Proxy proxy(upstream, {.more = "forwarded_header: true\n" + trust});
    CHECK(Client(proxy).get("/", claimed).status == 200);
    const std::string ours = "for=127.0.0.1;host=\"test\";proto=http";
    CHECK(count_fields(head_at_api(upstream), "Forwarded") == 1);
    CHECK(field_of(head_at_api(upstream), "Forwarded") == (trusted ? "for=10.9.8.7;proto=https, " + ours : ours));
    CHECK(Client(proxy).get("/").status == 200);
    CHECK(field_of(head_at_api(upstream), "Forwarded") == ours);
    CHECK(field_of(head_at_api(upstream), "X-Forwarded-For") == "127.0.0.1");
  }
}

TEST_CASE("field names with an underscore are refused, unless they are allowed") {
  Upstream upstream;
  {
    Proxy proxy(upstream);
    CHECK(Client(proxy).get("/", "X_Name: a\r\n").status == 400);
  }
  Proxy proxy(upstream, {.limits = "allow_underscores: true"});
  CHECK(Client(proxy).get("/", "X_Name: a\r\n").status == 200);
  CHECK(field_of(head_at_api(upstream), "X_Name") == "a");
}

TEST_CASE("each request has an identifier of its own") {
  Upstream upstream;
  Proxy proxy(upstream);
  Client client(proxy);
  CHECK(client.get("/").field("X-Request-ID") != client.get("/").field("X-Request-ID"));
}

TEST_CASE("the load report is not forwarded, and the metrics show it") {
  Upstream upstream([](Turn& turn) {
    turn.answer("ok",
                "Endpoint-Load-Metrics: TEXT application_utilization=0.1,named_metrics.db_pool_size=20,"
                "named_metrics.db_pool_overflow=3,named_metrics.db_pool_checkedin=17,named_metrics.db_pool_capacity=50,"
                "named_metrics.db_pool_waiters=2,named_metrics.db_connection_errors=7\r\n");
  });
  Proxy proxy(upstream);
  const Reply reply = Client(proxy).get("/");
  CHECK(reply.body == "ok");
  CHECK_FALSE(reply.has("Endpoint-Load-Metrics"));
  CHECK(proxy.await_metric("database_pool_size", 20));
  CHECK(proxy.await_metric("database_pool_overflow", 3));
  CHECK(proxy.await_metric("database_pool_checkedin", 17));
  CHECK(proxy.await_metric("database_pool_capacity", 50));
  CHECK(proxy.await_metric("database_pool_waiters", 2));
  CHECK(proxy.await_metric("database_connection_errors", 7));
}

TEST_CASE("each request is one log line with the identifier that client and API got") {
  Upstream upstream;
  Proxy proxy(upstream);
  const Reply reply = Client(proxy).get("/path?secret=1");
  REQUIRE(proxy.await_log(reply.field("X-Request-ID")));
  const std::string log = proxy.log();
  const std::size_t from = log.rfind('\n', log.find(reply.field("X-Request-ID"))) + 1;
  const std::string line = log.substr(from, log.find('\n', from) - from);
  for (const char* part : {"\"method\":\"GET\"", "\"path\":\"/path\"", "\"status\":200", "\"outcome\":\"ok\"",
                           "\"class\":\"normal\"", "\"client\":\"127.0.0.1\"", "\"bytes_out\":2"}) {
    CAPTURE(part);
    CHECK(line.find(part) != std::string::npos);
  }
  CHECK(log.find("secret") == std::string::npos);
}

}  // namespace
}  // namespace spillway::test
