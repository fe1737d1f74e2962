// Answers that last, tunnels and event streams: they hold no slot, are counted by themselves, and are drained last.

#include <csignal>
#include <list>

#include <doctest/doctest.h>

#include "tests/integration/proxy/held.hpp"

namespace spillway::test {
namespace {

const std::string kUpgrade =
    "GET /chat HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const std::string kSubscribe = "GET /events HTTP/1.1\r\nHost: test\r\nAccept: text/event-stream\r\n\r\n";
const std::string kEvents =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n8\r\ndata: 1\n\r\n";

/// Tunnels at /chat and event streams at /events and /surprise last until the proxy leaves; /end ends an event stream.
void lasting(Turn& turn) {
  if (turn.request() == "GET /held") return hold(turn);
  if (turn.request() == "GET /chat") {
    turn.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    turn.left();
    return turn.close();
  }
  if (turn.request() == "GET /end") return turn.send(kEvents + "0\r\n\r\n");
  if (turn.request() != "GET /events" && turn.request() != "GET /surprise") return turn.answer();
  turn.send(kEvents);
  turn.left();
  turn.close();
}

/// A client that has got the head of its stream, and the first event of an event stream.
Client opened(const Proxy& proxy, const std::string& request) {
  Client client(proxy);
  client.send(request);
  std::string head;
  CHECK(client.wire().read_head(head));
  std::string event;
  if (head.find("event-stream") != std::string::npos) client.wire().read_exactly(13, event);
  return client;
}

/// How many of `count` ordinary requests, one after the other, get their answer.
int answered(const Proxy& proxy, int count) {
  Client client(proxy);
  int good = 0;
  while (count-- > 0) good += client.get("/").status == 200;
  return good;
}

const std::string kNoQueue = "queue: {max_wait: 0}";

TEST_CASE("80 idle WebSockets on 10 slots refuse nothing ordinary") {
  for (const int workers : {1, 2}) {
    CAPTURE(workers);
    Upstream upstream(lasting);
    Proxy proxy(upstream, {.workers = workers, .admission = admit(10) + ", " + kNoQueue});
    {
      std::list<Client> tunnels;
      for (int i = 0; i < 80; ++i) tunnels.push_back(opened(proxy, kUpgrade));
      CHECK(proxy.metric("spillway_streams") == 80);
      CHECK(proxy.metric("spillway_inflight") == 0);
      std::list<Client> held = fill(proxy, upstream, 9);
      CHECK(answered(proxy, 50) == 50);
      upstream.release_all();
      check_answered(held);
    }
    CHECK(proxy.await_metric("spillway_streams", 0));
    CHECK(proxy.metric("load_shedding_rejections") == 0);
    CHECK(proxy.accounts_balance());
  }
}

TEST_CASE("8 event streams on 10 slots refuse nothing ordinary, in any mode") {
  for (const std::string mode : {"enforce", "shadow", "off"}) {
    CAPTURE(mode);
    Upstream upstream(lasting);
    Proxy proxy(upstream, {.admission = admit(10) + ", " + kNoQueue + ", mode: " + mode});
    {
      std::list<Client> streams;
      for (int i = 0; i < 8; ++i) streams.push_back(opened(proxy, kSubscribe));
      CHECK(proxy.stat("streams") == 8);
      CHECK(proxy.stat("in_flight") == 0);
      std::list<Client> held = fill(proxy, upstream, 9);
      CHECK(answered(proxy, 50) == 50);
      CHECK(proxy.metric("spillway_shadow_rejections_total") == 0);
      upstream.release_all();
      check_answered(held);
    }
    CHECK(answered(proxy, 1) == 1);
    CHECK(proxy.await_metric("spillway_streams", 0));  // their clients have left, although no event told of it
  }
}

TEST_CASE("an event stream that ends is answered whole, is kept out of latency, and its connection goes on") {
  Upstream upstream(lasting);
  Proxy proxy(upstream);
  Client client(proxy);
  const Reply reply = client.get("/end");
  CHECK(reply.whole);
  CHECK(reply.body == "data: 1\n");
  CHECK(proxy.await_metric("spillway_requests_total", 1, {{"outcome", "ok"}, {"code", "2xx"}, {"class", "normal"}}));
  CHECK(proxy.metric("spillway_request_duration_seconds_count") == 0);
  CHECK(proxy.metric("spillway_upstream_duration_seconds_count") == 0);
  CHECK(client.get("/").status == 200);
  CHECK(proxy.await_metric("spillway_request_duration_seconds_count", 1));
  CHECK(proxy.metric("spillway_streams") == 0);
  client.close();
  CHECK(proxy.accounts_balance());
}

TEST_CASE("beyond streams.max who asks for a stream is refused before the API hears of it; a reload raises it") {
  Upstream upstream(lasting);
  const auto with = [](const char* max) {
    return Settings{.timeouts = "drain: 1s",
                    .admission = admit(10) + ", " + kNoQueue + ", streams: {max: " + max + "}"};
  };
  Proxy proxy(upstream, with("1"));
  {
    Client first = opened(proxy, kSubscribe);
    for (const std::string& ask : {kSubscribe, kUpgrade}) {
      Client second(proxy);
      second.send(ask);
      const Reply refusal = second.receive();
      CHECK(refusal.status == 503);
      CHECK(refusal.has("Retry-After"));
      CHECK(refusal.problem("reason") == "streams");
    }
    CHECK(upstream.requests() == 1);
    CHECK(proxy.await_metric("load_shedding_rejections", 2, {{"reason", "streams"}}));

    // An answer that turns out to be a stream keeps its slot.
    Client surprise = opened(proxy, "GET /surprise HTTP/1.1\r\nHost: test\r\nAccept: */*\r\n\r\n");
    CHECK(proxy.metric("spillway_inflight") == 1);
    CHECK(proxy.metric("spillway_streams") == 1);

    proxy.configure(with("2"));
    proxy.signal(SIGHUP);
    CHECK(eventually([&] { return proxy.page("/config").second.find("max: 2\n") != std::string::npos; }));
    Client third = opened(proxy, kUpgrade);
    CHECK(proxy.metric("spillway_streams") == 2);
  }
}

TEST_CASE("a drain answers ordinary requests first, and ends streams last") {
  Upstream upstream(lasting);
  Proxy proxy(upstream, {.timeouts = "drain: 4s"});
  Client tunnel = opened(proxy, kUpgrade);
  Client events = opened(proxy, kSubscribe);
  std::list<Client> held = fill(proxy, upstream, 1);
  proxy.signal(SIGTERM);
  REQUIRE(eventually([&] { return !proxy.listens(); }));
  upstream.release_all();
  check_answered(held);
  CHECK(tunnel.wire().at_rest());
  CHECK(events.wire().at_rest());
  CHECK(tunnel.ended() == End::closed);
  CHECK(events.ended() == End::reset);  // a cut body must not pass for a whole one
  CHECK(proxy.wait() == 0);
  CHECK(proxy.log().find("\"status\":200,\"outcome\":\"ok\",\"reason\":\"draining\"") != std::string::npos);
}

TEST_CASE("the API is told the pressure with each request, whatever the client says") {
  Upstream upstream(lasting);
  Proxy proxy(upstream, {.admission = admit(10)});
  std::list<Client> held = fill(proxy, upstream, 7, "/held", "Spillway-Pressure: 0.99\r\n");
  CHECK(Client(proxy).get("/", "Spillway-Pressure: 0.00\r\n").status == 200);
  const std::vector<Upstream::Seen> seen = upstream.seen();
  REQUIRE(seen.size() == 8);
  CHECK(count_fields(seen.back().head, "Spillway-Pressure") == 1);
  CHECK(field_of(seen.back().head, "Spillway-Pressure") == "0.80");
  upstream.release_all();
  check_answered(held);
}

}  // namespace
}  // namespace spillway::test
