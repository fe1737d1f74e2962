// After an accepted upgrade to websocket bytes pass unchanged in both directions until both sides are silent.

#include <atomic>
#include <csignal>
#include <thread>

#include <doctest/doctest.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"

namespace spillway::test {
namespace {

constexpr std::size_t kMiB = 1024 * 1024;

const std::string kAsk =
    "GET /chat HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const std::string kAgreed =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Accepts the upgrade and echoes all bytes until the client ends.
void echo(Turn& turn) {
  if (turn.field("Upgrade") != "websocket") return turn.answer();
  turn.send(kAgreed);
  std::string bytes;
  while (turn.wire().read_exactly(1, bytes)) {
    turn.wire().read_exactly(turn.wire().unread().size(), bytes);
    turn.wire().send(bytes);
    bytes.clear();
  }
  turn.close();
}

/// A client whose upgrade was accepted.
Client upgraded(const Proxy& proxy) {
  Client client(proxy);
  client.send(kAsk);
  CHECK(client.receive().status == 101);
  return client;
}

bool says(Client& client, const std::string& text) {
  client.send(text);
  std::string heard;
  return client.wire().read_exactly(text.size(), heard) && heard == text;
}

TEST_CASE("an upgrade that the API accepts opens a tunnel, which is a stream until it ends") {
  Upstream upstream(echo);
  Proxy proxy(upstream);
  {
    Client client(proxy);
    client.send(kAsk);
    const Reply agreed = client.receive();
    CHECK(agreed.status == 101);
    CHECK(agreed.field("Upgrade") == "websocket");
    CHECK(agreed.field("Connection") == "Upgrade");
    CHECK(agreed.field("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    const std::string head = upstream.seen().back().head;
    CHECK(field_of(head, "Upgrade") == "websocket");
    CHECK(field_of(head, "Connection") == "Upgrade");
    CHECK(field_of(head, "Sec-WebSocket-Key") == "dGhlIHNhbXBsZSBub25jZQ==");

    CHECK(says(client, "hello"));
    // Bytes that look like a request are forwarded like all others.
    CHECK(says(client, "GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n"));
    CHECK(says(client, std::string("\0\r\n\xff", 4)));
    CHECK(proxy.stat("in_flight") == 0);
    CHECK(proxy.stat("streams") == 1);
    CHECK(upstream.requests() == 1);

    client.wire().finish_sending();
    CHECK(client.ended() == End::closed);
  }
  CHECK(proxy.accounts_balance());
  CHECK(proxy.metric("spillway_requests_total", {{"outcome", "ok"}, {"code", "1xx"}}) == 1);
  CHECK(proxy.await_metric("spillway_upstream_connections", 0, {{"state", "active"}}));
  CHECK(proxy.await_metric("spillway_upstream_connections", 0, {{"state", "idle"}}));
  CHECK(proxy.await_log("\"status\":101"));
}

TEST_CASE("bytes right behind the upgrade, from either side, are part of the tunnel") {
  Upstream upstream([](Turn& turn) {
    turn.send(kAgreed + "first");
    std::string bytes;
    turn.wire().read_exactly(5, bytes);
    turn.wire().send(bytes);
    turn.close();
  });
  Proxy proxy(upstream);
  Client client(proxy);
  client.send(kAsk + "early");
  CHECK(client.receive().status == 101);
  std::string heard;
  CHECK(client.wire().read_exactly(10, heard));
  CHECK(heard == "firstearly");
  CHECK(client.ended() == End::closed);
  client.close();
  CHECK(proxy.accounts_balance());
}

TEST_CASE("the response of an API that declines the upgrade is forwarded, and the connection stays open") {
  Upstream upstream([](Turn& turn) {
    if (turn.request() == "GET /chat") return turn.answer("no", "", "426 Upgrade Required");
    turn.answer("after");
  });
  Proxy proxy(upstream);
  Client client(proxy);
  // Nothing was upgraded, so the bytes behind it are a request.
  client.send(kAsk + "GET /after HTTP/1.1\r\nHost: test\r\n\r\n");
  CHECK(client.receive().status == 426);
  CHECK(client.receive().body == "after");
  CHECK(upstream.connections() == 1);
  CHECK(proxy.accounts_balance());
}

TEST_CASE("a 101 that the client did not ask for is a 502") {
  struct Row {
    const char* what;
    std::string request, answer;
  };
  const std::string other = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n";
  const std::string silent = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
  const auto ask = [](const std::string& fields, const std::string& line = "GET /chat HTTP/1.1") {
    return line + "\r\nHost: test\r\n" + fields + "\r\n";
  };
  const std::string websocket = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
  const Row rows[] = {
      {"no upgrade asked for", ask(""), kAgreed},
      {"another protocol asked for", ask("Connection: Upgrade\r\nUpgrade: h2c\r\n"), other},
      {"another protocol than asked for", ask(websocket), other},
      {"no protocol named", ask(websocket), silent},
      {"asked for without Connection", ask("Upgrade: websocket\r\n"), kAgreed},
      {"with a method other than GET", ask(websocket, "PUT /chat HTTP/1.1"), kAgreed},
      {"in HTTP/1.0", ask(websocket, "GET /chat HTTP/1.0"), kAgreed},
      {"with a body", ask(websocket + "Content-Length: 1\r\n") + "a", kAgreed},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Upstream upstream([&](Turn& turn) {
      turn.body();
      turn.send(row.answer);
      turn.left();
    });
    Proxy proxy(upstream);
    Client client(proxy);
    client.send(row.request);
    const Reply reply = client.receive();
    CHECK(reply.status == 502);
    CHECK(reply.problem("reason") == "response_invalid");
    CHECK(proxy.accounts_balance());
  }
}

TEST_CASE("a side that does not read stops the other side; the proxy's memory stays bounded") {
  std::atomic<std::size_t> sent = 0;
  const std::string piece = pattern(kMiB);
  constexpr std::size_t kLarge = 64 * kMiB;
  constexpr std::size_t kGrowth = 8 * kMiB;  // a sanitizer adds memory at the first use
  Upstream upstream([&](Turn& turn) {
    turn.send(kAgreed);
    if (turn.request() == "GET /chat") {
      for (; sent < kLarge && turn.wire().send(piece);) sent += piece.size();
      return turn.close();
    }
  });
  Proxy proxy(upstream);
  const std::size_t before = proxy.memory();
  Client client = upgraded(proxy);
  std::size_t last = 0;
  int looks = 0;
  CHECK(eventually([&] {
    looks = sent > 0 && sent == last ? looks + 1 : 0;
    last = sent;
    return looks > 100;
  }));
  CHECK(sent < kLarge);
  CHECK(proxy.memory() < before + kGrowth);
  // The other direction goes on.
  client.send("still here");
  std::string all;
  client.wire().read_to_end(all);
  CHECK(client.wire().end() == End::closed);
  CHECK(all.size() == kLarge);
  CHECK(all.compare(0, kMiB, piece) == 0);
  CHECK(all.compare(kLarge - kMiB, kMiB, piece) == 0);
  CHECK(proxy.memory() < before + kGrowth);
  client.close();
  CHECK(proxy.accounts_balance());
}

TEST_CASE("bytes arrive unchanged in both directions at once") {
  Upstream upstream(echo);
  Proxy proxy(upstream);
  for (const std::size_t size : {std::size_t{1}, std::size_t{16384}, std::size_t{300'000}}) {
    CAPTURE(size);
    Client client = upgraded(proxy);
    const std::string said = pattern(size);
    std::thread speaker([&] {
      client.wire().send(said);
      client.wire().finish_sending();
    });
    std::string heard;
    client.wire().read_to_end(heard);
    speaker.join();
    CHECK(client.wire().end() == End::closed);
    CHECK(heard == said);
  }
  CHECK(proxy.accounts_balance());
}

TEST_CASE("a tunnel has an idle timeout of its own, which ends it after silence in both directions") {
  Upstream upstream(echo);
  Proxy proxy(upstream, {.timeouts = "response: 100ms, request_body: 100ms, keep_alive: 100ms, tunnel: 3s"});
  Client client = upgraded(proxy);
  // Several times longer than the other timeouts, and never silent for long.
  for (int i = 0; i < 10; ++i) {
    CHECK(says(client, "tick"));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  CHECK(client.ended() == End::closed);
  CHECK(proxy.await_log("\"reason\":\"tunnel_idle\""));
  CHECK(proxy.accounts_balance());
}

TEST_CASE("a reset on one side of a tunnel resets the other, and the slot is free again") {
  Upstream upstream([](Turn& turn) {
    if (turn.field("Upgrade") != "websocket") return turn.answer();
    turn.send(kAgreed);
    std::string bytes;
    if (turn.wire().read_exactly(3, bytes) && bytes == "cut") return turn.reset();
    turn.left();
  });
  Proxy proxy(upstream, {.admission = admit(1)});
  {
    Client client = upgraded(proxy);
    client.send("cut");
    CHECK(client.ended() == End::reset);
  }
  CHECK(proxy.accounts_balance());
  {
    Client client = upgraded(proxy);
    client.wire().reset();
  }
  CHECK(proxy.accounts_balance());
  CHECK(Client(proxy).get("/").status == 200);
  CHECK(proxy.await_metric("spillway_upstream_connections", 0, {{"state", "active"}}));
}

TEST_CASE("beyond streams.max a tunnel is refused before it reaches the API") {
  Upstream upstream(echo);
  Proxy proxy(upstream, {.admission = admit(1) + ", streams: {max: 1}"});
  Client first = upgraded(proxy);
  Client second(proxy);
  second.send(kAsk);
  CHECK(second.receive().status == 503);
  CHECK(upstream.requests() == 1);
  CHECK(says(first, "still open"));
}

TEST_CASE("a drain waits for tunnels, also for one that opens during the drain") {
  for (const int workers : {1, 2}) {
    CAPTURE(workers);
    Upstream upstream([](Turn& turn) {
      turn.hold();
      echo(turn);
    });
    Proxy proxy(upstream, {.workers = workers});
    upstream.release();
    Client client = upgraded(proxy);
    Client late(proxy);
    late.send(kAsk);
    REQUIRE(eventually([&] { return upstream.inside() == 1; }));
    proxy.signal(SIGTERM);
    REQUIRE(eventually([&] { return !proxy.listens(); }));
    CHECK(says(client, "still open"));
    upstream.release();
    CHECK(late.receive().status == 101);
    CHECK(says(late, "open, too"));
    client.wire().finish_sending();
    CHECK(client.ended() == End::closed);
    CHECK(says(late, "and still"));
    late.wire().finish_sending();
    CHECK(late.ended() == End::closed);
    CHECK(proxy.wait() == 0);
    CHECK(proxy.log().find("timeouts.drain is over") == std::string::npos);
  }
}

TEST_CASE("at the end of the drain tunnels are closed properly on both sides") {
  std::atomic<bool> closed = false;
  Upstream upstream([&](Turn& turn) {
    turn.send(kAgreed);
    std::string bytes;
    turn.wire().read_exactly(5, bytes);
    turn.wire().send(bytes);
    closed = !turn.wire().read_more() && turn.wire().end() == End::closed;
    turn.close();
  });
  Proxy proxy(upstream, {.timeouts = "drain: 4s"});
  Client client = upgraded(proxy);
  CHECK(says(client, "hello"));
  CHECK(proxy.stat("streams") == 1);
  proxy.signal(SIGTERM);
  CHECK(client.ended() == End::closed);
  client.close();
  CHECK(proxy.wait() == 0);
  CHECK(eventually([&] { return closed.load(); }));
}

}  // namespace
}  // namespace spillway::test
