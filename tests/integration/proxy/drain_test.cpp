// A drain resets no connected client, lets requests in flight finish, and ends in time whatever hangs.

#include <atomic>
#include <csignal>
#include <cstdio>
#include <fstream>

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"

namespace spillway::test {
namespace {

const std::string kWebSocket =
    "GET /chat HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

TEST_CASE("connections in the kernel's accept queue are answered during a drain") {
  constexpr int kClients = 300;
  for (const int workers : {1, 2}) {
    CAPTURE(workers);
    Upstream upstream;
    Proxy proxy(upstream, {.workers = workers, .admission = admit(32) + ", queue: {max_wait: 1m, max_length: 1000}"});
    proxy.signal(SIGSTOP);
    std::vector<Client> clients;
    for (int i = 0; i < kClients; ++i) clients.emplace_back(proxy).start("GET", "/");
    proxy.signal(SIGTERM);
    proxy.signal(SIGCONT);
    int answered = 0;
    for (Client& client : clients) answered += client.receive().status == 200;
    CHECK(answered == kClients);
    clients.clear();
    CHECK(proxy.wait() == 0);
  }
}

TEST_CASE("an event stream goes on during a drain until it ends") {
  Upstream upstream([](Turn& turn) {
    turn.send(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n7\r\ndata:1\n\r\n");
    turn.hold();
    turn.send("7\r\ndata:2\n\r\n");
    turn.hold();
    turn.send("0\r\n\r\n");
  });
  Proxy proxy(upstream);
  Client client(proxy);
  client.start("GET", "/events");
  std::string head, line;
  REQUIRE(client.wire().read_head(head));
  proxy.signal(SIGTERM);
  REQUIRE(eventually([&] { return !proxy.listens(); }));
  CHECK(proxy.page("/ready").first == 503);
  upstream.release_all();
  std::string events;
  CHECK(client.wire().read_chunked(events));
  CHECK(events == "data:1\ndata:2\n");
  client.close();
  CHECK(proxy.wait() == 0);
  CHECK(proxy.log().find("timeouts.drain is over") == std::string::npos);
}

TEST_CASE("SIGQUIT drains like SIGTERM; SIGUSR1, SIGUSR2 and SIGPIPE change nothing") {
  Upstream upstream([](Turn& turn) {
    turn.hold();
    turn.answer();
  });
  Proxy proxy(upstream);
  Client client(proxy);
  for (const int signal : {SIGUSR1, SIGUSR2, SIGPIPE}) {
    CAPTURE(signal);
    for (int i = 0; i < 3; ++i) proxy.signal(signal);
    CHECK(proxy.page("/health").first == 200);
  }
  client.start("GET", "/");
  REQUIRE(eventually([&] { return upstream.inside() == 1; }));
  proxy.signal(SIGQUIT);
  REQUIRE(proxy.await_log("draining"));
  proxy.signal(SIGUSR1);
  upstream.release_all();
  CHECK(client.receive().status == 200);
  client.close();
  CHECK(proxy.wait() == 0);
  CHECK(proxy.log().find("drained, bye") != std::string::npos);
}

TEST_CASE("a drain ends in time although the log's reader has stalled and peers keep sending") {
  Upstream upstream([](Turn& turn) {
    if (turn.field("Upgrade") == "websocket") {
      turn.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    } else if (turn.request() == "GET /") {
      return turn.answer();
    }
    turn.hold();
  });
  Proxy proxy(upstream, {.timeouts = "drain: 2s"});
  proxy.pause_log();
  Client client(proxy);
  for (int i = 0; i < 1000; ++i) REQUIRE(client.get("/").status == 200);  // more log than the pipe holds
  Client tunnel(proxy), held(proxy);
  tunnel.send(kWebSocket);
  CHECK(tunnel.receive().status == 101);
  held.start("GET", "/held");
  REQUIRE(eventually([&] { return upstream.inside() == 1; }));
  CHECK(proxy.stop() == 0);
  proxy.resume_log();
  upstream.release_all();
}

/// Requests that the API, or the client, holds when the time of a drain is over.
struct Held {
  const char* name;
  std::string sent;
  bool response_begun;
};

TEST_CASE("requests that the end of timeouts.drain cuts are told so, and neither client nor API is blamed") {
  const std::string upload = "POST /upload HTTP/1.1\r\nHost: test\r\nContent-Length: 200000\r\n\r\n";
  const Held held[] = {{"waits for the head", "GET / HTTP/1.1\r\nHost: test\r\n\r\n", false},
                       {"uploads", upload + std::string(60'000, 'x'), false},
                       {"sends a small body", upload + "x", false},
                       {"waits for the body", "GET /body HTTP/1.1\r\nHost: test\r\n\r\n", true}};
  for (const Held& one : held) {
    CAPTURE(one.name);
    Upstream upstream([](Turn& turn) {
      if (turn.request() == "GET /body") turn.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
      turn.hold();
    });
    Proxy proxy(upstream, {.timeouts = "drain: 1s, request_body: 60s", .limits = "min_rate: 0"});
    Client client(proxy);
    client.send(one.sent);
    std::string head;
    if (one.response_begun) {
      REQUIRE(client.wire().read_head(head));
    } else {
      REQUIRE(eventually([&] { return proxy.stat("parsed") == 1; }));
    }
    proxy.signal(SIGTERM);
    if (!one.response_begun) {
      const Reply reply = client.receive();
      CHECK(reply.status == 503);
      CHECK(reply.problem("reason") == "draining");
      CHECK(reply.field("Connection") == "close");
    }
    CHECK(proxy.wait() == 0);
    CHECK(proxy.log().find(R"("outcome":"shed","reason":"draining")") != std::string::npos);
    CHECK(proxy.log().find(R"("outcome":"aborted")") == std::string::npos);
    CHECK(proxy.log().find(R"("outcome":"timeout")") == std::string::npos);
    upstream.release_all();
  }
}

/// The timer that the kernel runs for the connection from port `from` to port `to`: 2 is keepalive. -1: there is no
/// such connection.
int timer_of(int from, int to) {
  std::ifstream table("/proc/net/tcp");
  std::string line;
  while (std::getline(table, line)) {
    unsigned local = 0, remote = 0, timer = 0;
    if (std::sscanf(line.c_str(), " %*d: %*8X:%4X %*8X:%4X %*2X %*8X:%*8X %2X", &local, &remote, &timer) != 3) continue;
    if (static_cast<int>(local) == from && static_cast<int>(remote) == to) return static_cast<int>(timer);
  }
  return -1;
}

int local_port(const Wire& wire) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  ::getsockname(wire.descriptor(), reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.sin_port);
}

int remote_port(const Wire& wire) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  ::getpeername(wire.descriptor(), reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.sin_port);
}

TEST_CASE("keep-alive probes are on for connections to clients and to the API") {
  std::atomic<int> upstream_port = 0, proxy_port = 0;
  Upstream upstream([&](Turn& turn) {
    upstream_port = local_port(turn.wire());
    proxy_port = remote_port(turn.wire());
    turn.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    turn.left();
  });
  Proxy proxy(upstream);
  Client client(proxy);
  client.send(kWebSocket);
  REQUIRE(client.receive().status == 101);
  constexpr int kKeepalive = 2;  // the retransmission timer hides it until all is acknowledged
  CHECK(eventually([&] { return timer_of(proxy.port(), local_port(client.wire())) == kKeepalive; }));
  CHECK(eventually([&] { return timer_of(proxy_port, upstream_port) == kKeepalive; }));
}

}  // namespace
}  // namespace spillway::test
