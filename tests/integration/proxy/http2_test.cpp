// HTTP/2 in front: the same requests, bodies, refusals and accounts as over HTTP/1.1.

#include <algorithm>
#include <cctype>

#include <doctest/doctest.h>

#include "tests/integration/proxy/held.hpp"
#include "tests/integration/proxy/http2_client.hpp"

namespace spillway::test {
namespace {

void echo(Turn& turn) {
  turn.answer(turn.body());
}

TEST_CASE("a GET over HTTP/2 reaches the API as a request of HTTP/1.1, written anew") {
  Upstream upstream([](Turn& turn) { turn.answer("hello", "X-Of-Api: Yes\r\nConnection: x-hop\r\nX-Hop: 1\r\n"); });
  Proxy proxy(upstream, {.listen = kHttp2Listen});
  H2Client client(proxy);
  const H2Reply reply = client.request_with(H2Client::request(
      "GET", "/a?b=c", {{"user-agent", "test"}, {"cookie", "a=1"}, {"te", "trailers"}, {"cookie", "b=2"}}));
  CHECK(reply.status() == 200);
  CHECK(reply.whole);
  CHECK(reply.body == "hello");
  CHECK(reply.field("x-of-api") == "Yes");
  CHECK(reply.field("x-hop").empty());
  CHECK(reply.field("connection").empty());
  CHECK(reply.field("content-length") == "5");
  CHECK(reply.field("via") == "1.1 spillway");
  CHECK(reply.field("x-request-id").size() == 32);
  const std::string head = upstream.seen().at(0).head;
  CHECK(head.starts_with("GET /a?b=c HTTP/1.1\r\nHost: test\r\n"));
  CHECK(field_of(head, "Cookie") == "a=1; b=2");
  CHECK(count_fields(head, "Cookie") == 1);
  CHECK(field_of(head, "Via").starts_with("2.0 spillway-"));
  CHECK(field_of(head, "X-Forwarded-Proto") == "http");
  CHECK(field_of(head, "X-Forwarded-Host") == "test");
  CHECK(count_fields(head, "TE") == 0);
  CHECK(count_fields(head, "Transfer-Encoding") == 0);
  CHECK(proxy.metric("spillway_http_requests_total", {{"protocol", "HTTP/2"}}) == 1);
  CHECK(proxy.accounts_balance());
}

TEST_CASE("HTTP/1.1 is served on the same listener, byte by byte too, and HTTP/2 not where it is not asked for") {
  Upstream upstream;
  Proxy both(upstream, {.listen = kHttp2Listen});
  CHECK(Client(both).get("/").status == 200);
  Client slow(both);
  for (const char c : std::string("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"))
    slow.send(std::string(1, c));
  CHECK(slow.receive().status == 200);
  H2Client piecemeal(both, H2Client::Silent{});
  for (const char c : "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + H2Client::bytes_of(h2::kSettings, 0, 0)) {
    piecemeal.send(std::string(1, c));
  }
  CHECK(piecemeal.get("/").status() == 200);
  Proxy plain(upstream);
  Client client(plain);
  client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  CHECK(client.receive().status == 505);
}

TEST_CASE("bodies of all sizes and framings arrive whole, both ways") {
  Upstream upstream(echo);
  Proxy proxy(upstream, {.listen = kHttp2Listen});
  H2Client client(proxy);
  for (const std::size_t size : {0, 1, 100, 16'383, 16'384, 16'385, 48'000, 65'535, 65'536, 400'000}) {
    for (const bool by_length : {true, false}) {
      CAPTURE(size);
      CAPTURE(by_length);
      const std::string body = pattern(size);
      Fields more;
      if (by_length) more.emplace_back("content-length", std::to_string(size));
      const std::uint32_t stream = client.start(H2Client::request("POST", "/", more), false);
      std::string_view rest = body;
      std::size_t window = 65'535;
      // The windows open as the API takes the body.
      while (rest.size() > 0) {
        const std::size_t part = std::min({rest.size(), std::size_t{10'000}, window});
        if (part == 0) {
          const Frame frame = client.read();
          REQUIRE(frame.type >= 0);
          if (frame.type == h2::kWindowUpdate && frame.stream == stream) window += frame.number(0);
          continue;
        }
        client.data(stream, rest.substr(0, part));
        rest.remove_prefix(part);
        window -= part;
      }
      client.data(stream, "", true);
      const H2Reply reply = client.receive(stream);
      CHECK(reply.status() == 200);
      CHECK(reply.body == body);
    }
  }
  CHECK(eventually([&] { return proxy.stat("buffered_bytes") == 0; }));
  CHECK(proxy.accounts_balance());
}

/// What a client may send first, all in one piece: a request, with a body if there is one.
std::string first_flight(H2Client& client, std::string_view method, std::string_view body) {
  std::string all = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + H2Client::bytes_of(h2::kSettings, 0, 0);
  const int ends = body.empty() ? h2::kEndStream : 0;
  all += H2Client::bytes_of(h2::kHeaders, h2::kEndHeaders | ends, 1, client.encode(H2Client::request(method, "/")));
  while (!body.empty()) {
    const std::string_view part = body.substr(0, 16'384);
    body.remove_prefix(part.size());
    all += H2Client::bytes_of(h2::kData, body.empty() ? h2::kEndStream : 0, 1, part);
  }
  return all;
}

TEST_CASE("more may come at once than a read takes") {
  Upstream upstream(echo);
  Proxy proxy(upstream, {.listen = kHttp2Listen});
  for (const std::size_t size : {16'000, 16'384, 33'000, 65'535}) {
    CAPTURE(size);
    const std::string body = pattern(size);
    H2Client client(proxy, H2Client::Silent{});
    client.send(first_flight(client, "POST", body));
    CHECK(client.receive(1).body == body);
  }
  CHECK(proxy.accounts_balance());
}

TEST_CASE("a client that leaves with its last bytes has left") {
  Upstream upstream([](Turn& turn) { turn.left(); });
  Proxy proxy(upstream, {.upstream = "when_client_leaves: cancel", .listen = kHttp2Listen});
  constexpr int kClients = 20;
  for (int i = 0; i < kClients; ++i) {
    H2Client client(proxy, H2Client::Silent{});
    client.send(first_flight(client, "GET", ""));
  }
  CHECK(eventually([&] { return proxy.stat("aborted") == kClients; }));
  CHECK(proxy.accounts_balance());
}

TEST_CASE("responses of all framings arrive whole") {
  const std::string body = pattern(300'000);
  Upstream upstream([&](Turn& turn) {
    turn.body();
    if (turn.request() == "GET /chunked") {
      turn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(body));
    } else if (turn.request() == "GET /close") {
      turn.send("HTTP/1.1 200 OK\r\n\r\n" + body);
      turn.close();
    } else if (turn.request() == "GET /empty") {
      turn.send("HTTP/1.1 204 No Content\r\n\r\n");
    } else if (turn.request() == "GET /hints") {
      turn.send("HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\n");
      turn.answer(body);
    } else {
      turn.answer(body);
    }
  });
  Proxy proxy(upstream, {.listen = kHttp2Listen});
  H2Client client(proxy);
  for (const char* path : {"/chunked", "/close", "/length"}) {
    CAPTURE(path);
    const H2Reply reply = client.get(path);
    CHECK(reply.status() == 200);
    CHECK(reply.body == body);
    CHECK(reply.field("transfer-encoding").empty());
    CHECK(reply.field("content-length") == (std::string_view(path) == "/length" ? "300000" : ""));
  }
  CHECK(client.get("/empty").status() == 204);
  const H2Reply hints = client.get("/hints");
  REQUIRE(hints.interim.size() == 1);
  CHECK(hints.interim[0][0].second == "103");
  CHECK(hints.body == body);
  const H2Reply head = client.receive(client.start("HEAD", "/length"));
  CHECK(head.status() == 200);
  CHECK(head.body.empty());
}

TEST_CASE("many requests at a time share the connection, and none waits for another") {
  Upstream upstream([](Turn& turn) {
    if (turn.request() == "GET /held") turn.hold();
    turn.answer(turn.request());
  });
  Proxy proxy(upstream, {.listen = kHttp2Listen});
  H2Client client(proxy);
  std::vector<std::uint32_t> held;
  for (int i = 0; i < 30; ++i) held.push_back(client.start("GET", "/held"));
  CHECK(eventually([&] { return upstream.inside() == 30; }));
  for (int i = 0; i < 30; ++i) {
    const std::string path = "/" + std::to_string(i);
    CHECK(client.get(path).body == "GET " + path);
  }
  upstream.release_all();
  for (const std::uint32_t stream : held) CHECK(client.receive(stream).body == "GET /held");
  CHECK(proxy.accounts_balance());
}

TEST_CASE("refusals, answers of the proxy and log lines are the same as over HTTP/1.1") {
  Upstream upstream(hold);
  Proxy proxy(upstream, {.admission = admit(1) + ", queue: {max_wait: 0s}", .listen = kHttp2Listen});
  H2Client client(proxy);
  const std::uint32_t first = client.start("GET", "/held");
  CHECK(eventually([&] { return upstream.inside() == 1; }));
  const H2Reply refused = client.get("/more");
  CHECK(refused.status() == 503);
  CHECK(refused.field("content-type") == "application/problem+json");
  CHECK_FALSE(refused.field("retry-after").empty());
  CHECK(refused.body.find("\"reason\":\"capacity\"") != std::string::npos);
  // With a body that nobody wants: the rest is not asked for.
  const std::uint32_t upload = client.start("POST", "/more", false);
  const H2Reply early = client.receive(upload);
  CHECK(early.status() == 503);
  CHECK(client.read(h2::kRst, upload).number(0) == h2::kNoError);
  upstream.release_all();
  CHECK(client.receive(first).status() == 200);
  CHECK(proxy.await_log("\"path\":\"/more\""));
  CHECK(proxy.accounts_balance());
}

TEST_CASE("a window that stays shut holds no slot, and is given up in time") {
  const std::string body = pattern(200'000);
  Upstream upstream([&](Turn& turn) { turn.answer(body); });
  Proxy proxy(upstream, {.timeouts = "response: 2s", .admission = admit(1), .listen = kHttp2Listen});
  H2Client shut(proxy, {{4, 0}});
  shut.open_no_windows();
  std::vector<std::uint32_t> streams;
  for (int i = 0; i < 20; ++i) streams.push_back(shut.start("GET", "/"));
  CHECK(eventually([&] { return upstream.requests() == 20; }));
  CHECK(eventually([&] { return proxy.stat("in_flight") == 0; }));
  H2Client good(proxy);
  CHECK(good.get("/").body == body);
  for (const std::uint32_t stream : streams) CHECK(shut.receive(stream).reset >= 0);
  CHECK(eventually([&] { return proxy.stat("buffered_bytes") == 0; }));
  CHECK(proxy.accounts_balance());
}

TEST_CASE("a response is cut by a reset when the API cuts it") {
  Upstream upstream([](Turn& turn) {
    turn.body();
    turn.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    turn.close();
  });
  Proxy proxy(upstream, {.listen = kHttp2Listen});
  H2Client client(proxy);
  const H2Reply reply = client.get("/");
  CHECK(reply.reset == h2::kInternalError);
  CHECK_FALSE(reply.whole);
  CHECK(client.ping());
}

}  // namespace
}  // namespace spillway::test
