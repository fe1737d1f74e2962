// Streams of HTTP/2 that last: WebSockets by extended CONNECT, and event streams.

#include <atomic>
#include <cctype>

#include <doctest/doctest.h>

#include "tests/integration/proxy/held.hpp"
#include "tests/integration/proxy/http2_client.hpp"

namespace spillway::test {
namespace {

void shout(Turn& turn) {
  turn.send(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: chat\r\n\r\n");
  for (;;) {
    std::string line;
    if (!turn.wire().read_line(line)) break;
    for (char& c : line) c = static_cast<char>(std::toupper(c));
    turn.wire().send(line + "\r\n");
  }
  turn.close();
}

Fields websocket() {
  Fields fields = H2Client::request("GET", "/chat", {{"sec-websocket-version", "13"}});
  fields[0].second = "CONNECT";
  fields.insert(fields.begin() + 1, {":protocol", "websocket"});
  return fields;
}

TEST_CASE("an extended CONNECT is a tunnel to a WebSocket of HTTP/1.1, beside other requests") {
  Upstream upstream([](Turn& turn) { turn.request() == "GET /chat" ? shout(turn) : turn.answer(); });
  Proxy proxy(upstream, {.listen = kHttp2Listen});
  H2Client client(proxy);
  CHECK(client.ping());
  CHECK(client.settings().at(8) == 1);
  const std::uint32_t stream = client.start(websocket(), false);
  client.data(stream, "hello\r\n");
  std::string got;
  Fields fields;
  while (got.size() < 7) {
    const Frame frame = client.read();
    REQUIRE(frame.type >= 0);
    REQUIRE(frame.type != h2::kRst);
    if (frame.type == h2::kData) got += frame.payload;
  }
  CHECK(got == "HELLO\r\n");
  CHECK(proxy.stat("in_flight") == 0);
  CHECK(client.get("/").status() == 200);
  // More than any window or buffer, both ways at once.
  std::string line(10'000, 'x');
  line[9'998] = '\r';
  line[9'999] = '\n';
  std::size_t sent = 0;
  std::size_t received = 0;
  std::int64_t stream_window = 65'535 - 7;
  while (received < 1'000'000) {
    if (sent < 1'000'000 && client.window() >= 10'000 && stream_window >= 10'000) {
      client.data(stream, line);
      sent += line.size();
      stream_window -= 10'000;
      continue;
    }
    const Frame frame = client.read();
    REQUIRE(frame.type >= 0);
    if (frame.type == h2::kWindowUpdate && frame.stream == stream) stream_window += frame.number(0);
    if (frame.type == h2::kData) received += frame.payload.size();
  }
  client.data(stream, "", true);
  const H2Reply reply = client.receive(stream);
  CHECK(reply.status() == 200);
  CHECK(reply.field("sec-websocket-protocol") == "chat");
  CHECK(reply.field("date").size() == 29);  // 101 has become 200
  CHECK(reply.field("sec-websocket-accept").empty());
  CHECK(reply.field("upgrade").empty());
  CHECK(reply.whole);
  const std::string head = upstream.seen().at(0).head;
  CHECK(head.starts_with("GET /chat HTTP/1.1\r\n"));
  CHECK(field_of(head, "Upgrade") == "websocket");
  CHECK(field_of(head, "Connection") == "Upgrade");
  CHECK(field_of(head, "Sec-WebSocket-Key").size() == 24);
  CHECK(eventually([&] { return proxy.metric("spillway_streams") == 0; }));
  CHECK(proxy.accounts_balance());
}

TEST_CASE("what a client sends before the API has switched waits for that, and is never taken for a request") {
  Upstream upstream([](Turn& turn) {
    if (turn.request() != "GET /chat") return turn.answer();
    turn.field("X-Refuse").empty() ? shout(turn) : turn.answer("no", "", "403 Forbidden");
  });
  Proxy proxy(upstream, {.listen = kHttp2Listen});
  H2Client client(proxy);
  // In one piece, so that all of it is there before the API is asked.
  const auto start = [&](const Fields& fields, std::string_view data) {
    const std::uint32_t stream = client.next_stream();
    client.skip_streams(1);
    client.send(H2Client::bytes_of(h2::kHeaders, h2::kEndHeaders, stream, client.encode(fields)) +
                H2Client::bytes_of(h2::kData, 0, stream, data));
    return stream;
  };
  Fields refused = websocket();
  refused.emplace_back("x-refuse", "1");
  for (int i = 0; i < 3; ++i) {
    CHECK(client.receive(start(refused, "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")).status() == 403);
    CHECK(client.get("/").status() == 200);
  }
  CHECK(upstream.requests() == 6);
  const std::uint32_t stream = start(websocket(), "hello\r\n");
  client.data(stream, "end\r\n", true);
  CHECK(client.receive(stream).body == "HELLO\r\nEND\r\n");
  CHECK(upstream.requests() == 7);
  CHECK(proxy.accounts_balance());
}

TEST_CASE("a tunnel ends with its stream, with the API, and with a drain") {
  Upstream upstream([](Turn& turn) { turn.request() == "GET /chat" ? shout(turn) : turn.answer(); });
  Proxy proxy(upstream, {.timeouts = "drain: 2s", .listen = kHttp2Listen});
  H2Client client(proxy);
  const std::uint32_t reset = client.start(websocket(), false);
  CHECK(eventually([&] { return proxy.metric("spillway_streams") == 1; }));
  client.reset(reset);
  CHECK(eventually([&] { return proxy.metric("spillway_streams") == 0; }));
  const std::uint32_t held = client.start(websocket(), false);
  CHECK(eventually([&] { return proxy.metric("spillway_streams") == 1; }));
  proxy.signal(15);
  const H2Reply reply = client.receive(held);
  CHECK((reply.whole || reply.reset >= 0));
  CHECK(client.ended());
  CHECK(proxy.wait() == 0);
}

TEST_CASE("an API that answers an upgrade with a success but does not switch has not accepted the CONNECT") {
  Upstream upstream([](Turn& turn) {
    turn.field("X-Refuse").empty() ? turn.answer("plain") : turn.answer("no", "", "403 Forbidden");
  });
  Proxy proxy(upstream, {.listen = kHttp2Listen});
  H2Client client(proxy);
  CHECK(client.receive(client.start(websocket(), false)).status() == 502);
  Fields fields = websocket();
  fields.emplace_back("x-refuse", "1");
  const H2Reply refused = client.receive(client.start(fields, false));
  CHECK(refused.status() == 403);
  CHECK(refused.body == "no");
  CHECK(proxy.accounts_balance());
}

TEST_CASE("an event stream over HTTP/2 holds no slot, and ends with the client's stream") {
  std::atomic<bool> left{false};
  Upstream upstream([&](Turn& turn) {
    turn.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
    left = turn.left();
  });
  Proxy proxy(upstream, {.admission = admit(2), .listen = kHttp2Listen});
  H2Client client(proxy);
  const std::uint32_t stream = client.start("GET", "/");
  const Frame frame = client.read(h2::kData);
  CHECK(frame.payload == "data: 1\n\n");
  CHECK(proxy.metric("spillway_streams") == 1);
  client.reset(stream);
  CHECK(eventually([&] { return left.load(); }));
  CHECK(client.ping());
}

}  // namespace
}  // namespace spillway::test
