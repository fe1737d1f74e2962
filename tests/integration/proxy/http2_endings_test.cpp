// How requests and connections of HTTP/2 end before their time: clients that leave, limits of time, eviction, drains.

#include <atomic>

#include <doctest/doctest.h>

#include "tests/integration/proxy/held.hpp"
#include "tests/integration/proxy/http2_client.hpp"

namespace spillway::test {
namespace {

TEST_CASE("a client that leaves, or resets, is counted as aborted, and its slot goes back when the API has answered") {
  Upstream upstream(hold);
  Proxy proxy(upstream, {.admission = admit(4), .listen = kHttp2Listen});
  {
    H2Client client(proxy);
    client.start("GET", "/");
    const std::uint32_t reset = client.start("GET", "/");
    CHECK(eventually([&] { return upstream.inside() == 2; }));
    client.reset(reset);
    CHECK(client.ping());
    CHECK(proxy.stat("in_flight") == 2);
  }
  CHECK(H2Client(proxy).ping());  // the proxy has seen the end of the first by then
  CHECK(proxy.stat("in_flight") == 2);
  upstream.release_all();
  CHECK(eventually([&] { return proxy.stat("in_flight") == 0; }));
  CHECK(proxy.accounts_balance());
  CHECK(proxy.stat("aborted") == 2);
}

TEST_CASE("when_client_leaves: cancel ends the request at the API with the stream") {
  std::atomic<bool> left{false};
  Upstream upstream([&](Turn& turn) { left = turn.left(); });
  Proxy proxy(upstream, {.upstream = "when_client_leaves: cancel", .listen = kHttp2Listen});
  H2Client client(proxy);
  const std::uint32_t stream = client.start("GET", "/");
  CHECK(eventually([&] { return upstream.inside() == 1; }));
  client.reset(stream);
  CHECK(eventually([&] { return left.load(); }));
  CHECK(client.ping());
  CHECK(proxy.accounts_balance());
}

TEST_CASE("time-outs: an unfinished preface or head, a late body, a connection without requests") {
  Upstream upstream([](Turn& turn) { turn.answer(turn.body()); });
  Proxy proxy(upstream,
              {.timeouts = "request_head: 300ms, request_body: 300ms, keep_alive: 300ms", .listen = kHttp2Listen});
  H2Client unfinished(proxy, H2Client::Silent{});
  unfinished.send("PRI * HT");
  CHECK(unfinished.ended());
  Client begun(proxy);
  begun.send("P");
  CHECK(begun.receive().status == 408);
  H2Client no_settings(proxy, H2Client::Silent{});
  no_settings.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  CHECK(no_settings.goaway() >= 0);
  CHECK(no_settings.ended());
  H2Client head(proxy);
  CHECK(head.ping());
  head.frame(h2::kHeaders, h2::kEndStream, 1, head.encode({{":method", "GET"}}));
  CHECK(head.goaway() == h2::kNoError);
  // The frame says that the head ends in it, but it does not come whole.
  for (const std::size_t size : {std::size_t{0}, std::size_t{2}}) {
    H2Client half(proxy);
    CHECK(half.ping());
    const std::string frame = H2Client::bytes_of(h2::kHeaders, h2::kEndStream | h2::kEndHeaders, 1,
                                                 half.encode(H2Client::request("GET", "/")));
    half.send(frame.substr(0, 9 + size));
    CHECK(half.goaway() == h2::kNoError);
    CHECK(half.ended());
  }
  H2Client body(proxy);
  const H2Reply late = body.receive(body.start("POST", "/", false));
  CHECK(late.status() == 408);
  H2Client idle(proxy);
  CHECK(idle.get("/").status() == 200);
  CHECK(idle.goaway() == h2::kNoError);
  CHECK(idle.ended());
  CHECK(proxy.accounts_balance());
}

TEST_CASE("the client of a PROXY header is the client of each request behind it") {
  Upstream upstream;
  Settings settings{.listen = "{address: 127.0.0.1:0, http2: true, proxy_protocol: true}"};
  settings.more = "trusted_proxies: [127.0.0.0/8]\n";
  Proxy proxy(upstream, settings);
  H2Client client(proxy, H2Client::Silent{});
  client.send("PROXY TCP4 192.0.2.1 10.0.0.1 56324 443\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" +
              H2Client::bytes_of(h2::kSettings, 0, 0));
  for (int i = 0; i < 2; ++i) CHECK(client.get("/").status() == 200);
  CHECK(field_of(upstream.seen().back().head, "X-Forwarded-For") == "192.0.2.1");
  CHECK(proxy.await_log(R"("client":"192.0.2.1","peer":"127.0.0.1")"));
}

TEST_CASE("an idle connection of HTTP/2 makes room for a new one") {
  Upstream upstream;
  Proxy proxy(upstream, {.limits = "connections: 2", .listen = kHttp2Listen});
  H2Client first(proxy);
  CHECK(first.get("/").status() == 200);
  H2Client second(proxy);
  CHECK(second.get("/").status() == 200);
  H2Client third(proxy);
  CHECK(third.get("/").status() == 200);
  CHECK(first.goaway() == h2::kNoError);
  CHECK(second.get("/").status() == 200);
}

TEST_CASE("a drain announces itself, serves what is on its way, and names the last stream") {
  Upstream upstream(hold);
  Proxy proxy(upstream, {.listen = kHttp2Listen});
  H2Client client(proxy);
  const std::uint32_t held = client.start("GET", "/");
  CHECK(eventually([&] { return upstream.inside() == 1; }));
  proxy.signal(15);
  client.read(h2::kGoaway);
  CHECK(client.last_stream() == 0x7fffffff);
  const std::uint32_t late = client.start("GET", "/");
  client.read(h2::kGoaway);
  CHECK(client.last_stream() >= held);
  const bool served = client.last_stream() >= late;  // unless this machine has slept for a second
  client.start("GET", "/ignored");
  upstream.release_all();
  CHECK(client.receive(held).status() == 200);
  if (served) CHECK(client.receive(late).status() == 200);
  CHECK(client.ended());
  CHECK(proxy.wait() == 0);
  CHECK(upstream.requests() == (served ? 2 : 1));
}

TEST_CASE("a request that the end of timeouts.drain cuts is answered 503, and logged as such") {
  Upstream upstream(hold);
  Proxy proxy(upstream, {.timeouts = "drain: 2s", .listen = kHttp2Listen});
  H2Client client(proxy);
  const std::uint32_t held = client.start("GET", "/");
  CHECK(eventually([&] { return upstream.inside() == 1; }));
  proxy.signal(15);
  CHECK(client.receive(held).status() == 503);
  CHECK(proxy.wait() == 0);
  CHECK(proxy.log().find(R"("status":503,"outcome":"shed","reason":"draining")") != std::string::npos);
  upstream.release_all();
}

/// Accepts a WebSocket, and says what it gets in upper case until the client ends.

}  // namespace
}  // namespace spillway::test
