// What a client may do on an HTTP/2 connection is bounded, and the API never holds more than the cap whatever is reset.

#include <algorithm>
#include <list>

#include <doctest/doctest.h>

#include "tests/integration/proxy/held.hpp"
#include "tests/integration/proxy/http2_client.hpp"

namespace spillway::test {
namespace {

/// 50 resets and 100 frames of a kind in a burst.
constexpr const char* kLimits = "http2: {resets: 5, frames: 10}";

std::string four_bytes(std::uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift & 0xff));
  return out;
}

double abuse(const Proxy& proxy, const char* kind) {
  return proxy.metric("spillway_http2_abuse_total", {{"kind", kind}});
}

/// Sends `frame` again and again until the connection ends.
template <class Send>
int until_goaway(H2Client& client, Send send) {
  for (int i = 0; i < 20'000 && send(); ++i) {
  }
  return client.goaway();
}

TEST_CASE("rapid reset: the API never holds more than the cap, and the connection is closed") {
  Upstream upstream(hold);
  Proxy proxy(
      upstream,
      {.limits = "http2: {resets: 20}", .admission = admit(10) + ", queue: {max_wait: 0s}", .listen = kHttp2Listen});
  H2Client client(proxy);
  const int code = until_goaway(client, [&] {
    const std::uint32_t stream = client.start("GET", "/");
    return client.reset(stream);
  });
  CHECK(code == h2::kEnhanceYourCalm);
  CHECK(client.ended());
  CHECK(upstream.most_inside() <= 10);
  CHECK(proxy.stat("in_flight") <= 10);
  CHECK(abuse(proxy, "reset") == 1);
  CHECK(proxy.await_log("closed an HTTP/2 connection of 127.0.0.1: too much of reset"));
  upstream.release_all();
  CHECK(eventually([&] { return proxy.stat("in_flight") == 0; }));
  CHECK(proxy.accounts_balance());
  CHECK(Client(proxy).get("/").status == 200);
}

TEST_CASE("a request that was reset while the API works on it keeps its place among the connection's streams") {
  Upstream upstream(hold);
  Proxy proxy(upstream, {.limits = "http2: {streams: 5}", .admission = admit(20), .listen = kHttp2Listen});
  H2Client client(proxy);
  for (int i = 0; i < 5; ++i) client.start("GET", "/");
  CHECK(eventually([&] { return upstream.inside() == 5; }));
  for (std::uint32_t stream = 1; stream < 11; stream += 2) client.reset(stream);
  CHECK(client.request_with(H2Client::request("GET", "/")).reset == h2::kRefusedStream);
  CHECK(upstream.inside() == 5);
  upstream.release_all();
  CHECK(eventually([&] { return proxy.stat("in_flight") == 0; }));
  CHECK(client.get("/").status() == 200);
  CHECK(proxy.accounts_balance());
}

TEST_CASE("a client that resets while it waits for a slot leaves the queue") {
  Upstream upstream(hold);
  Proxy proxy(upstream, {.admission = admit(1) + ", queue: {max_wait: 60s}", .listen = kHttp2Listen});
  H2Client client(proxy);
  const std::uint32_t held = client.start("GET", "/");
  CHECK(eventually([&] { return upstream.inside() == 1; }));
  std::vector<std::uint32_t> waiting;
  for (int i = 0; i < 5; ++i) waiting.push_back(client.start("GET", "/"));
  CHECK(eventually([&] { return proxy.stat("queue_length") == 5; }));
  for (const std::uint32_t stream : waiting) client.reset(stream);
  CHECK(eventually([&] { return proxy.stat("queue_length") == 0; }));
  upstream.release_all();
  CHECK(client.receive(held).status() == 200);
  CHECK(upstream.requests() == 1);
  CHECK(proxy.accounts_balance());
}

TEST_CASE("malformed requests are reset, and too many of them end the connection") {
  Upstream upstream;
  Proxy proxy(upstream, {.limits = kLimits, .listen = kHttp2Listen});
  H2Client client(proxy);
  CHECK(client.request_with(H2Client::request("GET", "/", {{"Upper", "1"}})).reset == h2::kProtocolError);
  CHECK(client.get("/").status() == 200);
  const int code =
      until_goaway(client, [&] { return client.request_with(H2Client::request("GET", "/ x")).goaway < 0; });
  CHECK(code == h2::kEnhanceYourCalm);
  CHECK(abuse(proxy, "provoked") == 1);
  CHECK(upstream.requests() == 1);
  CHECK(proxy.accounts_balance());
}

TEST_CASE("a connection that is closed for abuse forgets the answers that still wait for its windows") {
  const std::string body = pattern(300'000);
  Upstream upstream([&](Turn& turn) { turn.answer(body); });
  Proxy proxy(upstream, {.limits = kLimits, .admission = admit(50), .listen = kHttp2Listen});
  for (int round = 0; round < 5; ++round) {
    H2Client client(proxy, {{4, 1'000'000}});
    client.frame(h2::kWindowUpdate, 0, 0, four_bytes(50'000'000));
    for (int i = 0; i < 40; ++i) client.start("GET", "/");
    CHECK(eventually([&] { return upstream.requests() == 40 * (round + 1); }));
    // It has not read any of them yet.
    CHECK(until_goaway(client, [&] { return client.frame(h2::kPriority, 0, 1001, four_bytes(3) + "\x10"); }) ==
          h2::kEnhanceYourCalm);
    CHECK(client.ended());
  }
  CHECK(eventually([&] { return proxy.stat("in_flight") == 0 && proxy.stat("buffered_bytes") == 0; }));
  CHECK(proxy.accounts_balance());
}

TEST_CASE("heads: too many CONTINUATION frames or compressed bytes end the connection, too large a list is answered") {
  Upstream upstream;
  Proxy proxy(upstream, {.limits = "http2: {continuations: 8}", .listen = kHttp2Listen});
  {
    H2Client client(proxy);
    client.frame(h2::kHeaders, h2::kEndStream, 1, client.encode(H2Client::request("GET", "/")));
    CHECK(until_goaway(client, [&] { return client.frame(h2::kContinuation, 0, 1, ""); }) == h2::kEnhanceYourCalm);
    CHECK(abuse(proxy, "continuation") == 1);
  }
  {
    H2Client client(proxy);
    std::string block = client.encode(H2Client::request("GET", "/"));
    for (int i = 0; i < 2200; ++i) block.append("\x00\x05x-abc\x08", 8).append("12345678");
    const std::string first = block.substr(0, 16'384);
    client.frame(h2::kHeaders, h2::kEndStream, 1, first);
    for (std::size_t at = 16'384; at < block.size(); at += 16'384) {
      client.frame(h2::kContinuation, 0, 1, block.substr(at, 16'384));
    }
    CHECK(client.goaway() == h2::kEnhanceYourCalm);
    CHECK(abuse(proxy, "header_list") == 1);
  }
  {
    H2Client client(proxy);
    Fields fields = H2Client::request("GET", "/");
    for (int i = 0; i < 18; ++i) fields.emplace_back("x-large", std::string(1000, static_cast<char>('a' + i)));
    std::string block = client.encode(fields);
    client.frame(h2::kHeaders, h2::kEndStream, 1, block.substr(0, 5000));
    client.frame(h2::kContinuation, h2::kEndHeaders, 1, block.substr(5000));
    CHECK(client.receive(1).status() == 431);
    client.skip_streams(1);
    CHECK(client.get("/").status() == 200);
  }
  {
    // A large field in the table, named again and again: small on the wire, large in memory.
    H2Client client(proxy);
    Fields fields = H2Client::request("GET", "/", {{"x-bomb", std::string(3000, 'b')}});
    CHECK(client.request_with(fields).status() == 200);
    for (int i = 0; i < 95; ++i) fields.emplace_back("x-bomb", std::string(3000, 'b'));
    CHECK(client.request_with(fields).status() == 431);
    CHECK(client.get("/").status() == 200);
  }
  CHECK(proxy.accounts_balance());
}

TEST_CASE("frames of streams that the proxy has reset are ignored, up to a bound") {
  Upstream upstream;
  Proxy proxy(upstream, {.limits = kLimits, .listen = kHttp2Listen});
  H2Client client(proxy);
  // A body that nobody wants: it is refused, and the rest of it is on its way.
  const std::uint32_t stream = client.start(H2Client::request("POST", "/", {{"content-length", "100000000"}}), false);
  CHECK(client.receive(stream).status() == 413);
  client.read(h2::kRst);
  for (int i = 0; i < 50; ++i) client.data(stream, "late");
  CHECK(client.get("/").status() == 200);
  CHECK(until_goaway(client, [&] { return client.data(stream, "late"); }) == h2::kEnhanceYourCalm);
  CHECK(abuse(proxy, "stray") == 1);
}

TEST_CASE("streams that never open their windows do no harm to a good client") {
  const std::string body = pattern(100'000);
  Upstream upstream([&](Turn& turn) { turn.answer(body); });
  Proxy proxy(upstream, {.timeouts = "response: 60s", .admission = admit(20), .listen = kHttp2Listen});
  H2Client shut(proxy, {{4, 0}});
  shut.open_no_windows();
  for (int i = 0; i < 100; ++i) shut.start("GET", "/");
  CHECK(eventually([&] { return upstream.requests() == 100; }));
  H2Client good(proxy);
  for (int i = 0; i < 50; ++i) CHECK(good.get("/").body == body);
  CHECK(proxy.metric("load_shedding_rejections") == 0);
}

TEST_CASE("bodies that are held for a connection take from limits.buffered, and without it the window bounds them") {
  Upstream upstream(hold);
  Proxy proxy(
      upstream,
      {.limits = "buffered: 100KiB", .admission = admit(1) + ", queue: {max_wait: 60s}", .listen = kHttp2Listen});
  H2Client client(proxy);
  client.start("GET", "/");
  CHECK(eventually([&] { return upstream.inside() == 1; }));
  std::size_t sent = 0;
  const std::string piece(8'000, 'x');
  // The connection's window is opened as far as there is memory; then a client that obeys it must wait.
  for (int i = 0; i < 60 && client.window() >= 8'000; ++i) {
    client.data(client.start("POST", "/", false), piece);
    sent += piece.size();
    CHECK(client.ping());
  }
  CHECK(client.window() < 8'000);
  CHECK(sent >= 120'000);
  CHECK(proxy.stat("buffered_bytes") <= 100 * 1024);
  upstream.release_all();
}

TEST_CASE("answers on shut windows that find no memory are given up, and hold no slot either") {
  const std::string body = pattern(10'000);
  Upstream upstream([&](Turn& turn) { turn.answer(body); });
  Proxy proxy(
      upstream,
      {.timeouts = "response: 60s", .limits = "buffered: 100KiB", .admission = admit(4), .listen = kHttp2Listen});
  H2Client shut(proxy, {{4, 0}});
  shut.open_no_windows();
  int given_up = 0;
  for (int i = 0; i < 30; ++i) {
    shut.start("GET", "/");
    CHECK(eventually([&] { return upstream.requests() == i + 1 && proxy.stat("in_flight") == 0; }));
    CHECK(shut.ping());
  }
  for (std::uint32_t stream = 1; stream < 61; stream += 2)
    given_up += shut.reset_of(stream) == h2::kEnhanceYourCalm ? 1 : 0;
  CHECK(given_up > 10);
  CHECK(given_up < 30);
  CHECK(proxy.stat("buffered_bytes") <= 100 * 1024);
  shut.wire().close();
  CHECK(proxy.accounts_balance());
}

/// 12 KB each: a few bytes on the wire from the second one on.
Fields with_large_head(std::string_view method) {
  const std::pair<std::string, std::string> large{"x-large", std::string(4000, 'a')};
  return H2Client::request(method, "/", {large, large, large});
}

TEST_CASE("large heads whose answers or bodies wait for the client take limits.http2.memory at most") {
  const std::string large(50'000, 'a');
  for (const std::string_view kind : {"answered", "refused", "upload", "large answer head"}) {
    CAPTURE(kind);
    Upstream upstream([&](Turn& turn) {
      if (kind == "large answer head") return turn.answer("ok", "X-Large: " + large + "\r\n");
      turn.answer("ok");
    });
    Proxy proxy(upstream, {.timeouts = "response: 60s, request_body: 60s",
                           .limits = "http2: {memory: 4MiB}",
                           .admission = kind == "refused" ? "shed_at: 0" : admit(50),
                           .listen = kHttp2Listen});
    [[maybe_unused]] const std::size_t before = proxy.memory();
    std::list<H2Client> shut;
    double most = 0;
    for (int i = 0; i < 20; ++i) {
      H2Client& client = shut.emplace_back(proxy, std::vector<std::pair<int, std::uint32_t>>{{4, 0}});
      client.open_no_windows();
      for (int j = 0; j < 90; ++j) client.start(with_large_head(kind == "upload" ? "POST" : "GET"), kind != "upload");
      CHECK(client.ping());
      most = std::max(most, proxy.stat("http2_memory_bytes"));
      // Others go on meanwhile.
      if (kind != "refused") CHECK(H2Client(proxy).get("/").status() == 200);
    }
    CHECK(most >= 1024.0 * 1024);
    CHECK(most <= (4096.0 + 64) * 1024);                             // and the request that came last
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // sanitizers add memory of their own
    // 20 to 60 MiB without the limit. What is free goes back to the system after a quiet second.
    CHECK(eventually([&] { return proxy.memory() - before < std::size_t{16} * 1024 * 1024; }));
#endif
    shut.clear();
    CHECK(eventually([&] { return proxy.stat("http2_memory_bytes") == 0 && proxy.stat("in_flight") == 0; }));
    CHECK(proxy.accounts_balance());
  }
}

TEST_CASE("a hundred requests at a time whose windows open slowly find memory") {
  const std::string body = pattern(30'000);
  Upstream upstream([&](Turn& turn) { turn.answer(body); });
  Proxy proxy(upstream, {.admission = admit(100), .listen = kHttp2Listen});
  H2Client client(proxy, {{4, 1000}});
  const Fields head = H2Client::request("GET", "/", {{"x-large", std::string(2000, 'a')}});
  std::vector<std::uint32_t> streams;
  for (int i = 0; i < 100; ++i) streams.push_back(client.start(head));
  for (const std::uint32_t stream : streams) {
    const H2Reply reply = client.receive(stream);
    CHECK(reply.status() == 200);
    CHECK(reply.body == body);
  }
  CHECK(eventually([&] { return proxy.stat("http2_memory_bytes") == 0; }));
  CHECK(proxy.accounts_balance());
}

}  // namespace
}  // namespace spillway::test
