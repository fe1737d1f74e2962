// Clients that send slowly hold no slot, or not for long: all other requests are served.

#include <thread>

#include "tests/integration/proxy/held.hpp"
#include "tests/integration/proxy/http2_client.hpp"
#include "tests/integration/proxy/posting.hpp"

namespace spillway::test {
namespace {

TEST_CASE("100 clients that send single bytes to a critical path keep out neither critical nor normal requests") {
  for (const std::string framing : {"Transfer-Encoding: chunked", "Content-Length: 20000"}) {
    for (const int workers : {1, 2}) {
      CAPTURE(framing);
      CAPTURE(workers);
      Upstream upstream(echo);
      Proxy proxy(upstream, {.workers = workers, .timeouts = "request_body: 60s", .more = kCritical});
      const std::string chunk = framing.starts_with("T") ? "1\r\nx\r\n" : "x";
      std::vector<Client> slow;
      for (int i = 0; i < 100; ++i) slow.emplace_back(proxy).send(head_of("/critical/login", framing) + chunk);
      for (int i = 0; i < 20; ++i) {
        for (Client& client : slow) CHECK(client.send(chunk));
        CHECK(Client(proxy).get("/").status == 200);
        CHECK(Client(proxy).get("/critical/x").status == 200);
        CHECK(Client(proxy).request("POST", "/critical/x", "", "body").body == "body");
      }
      CHECK(proxy.metric("load_shedding_rejections") == 0);
      slow.clear();
      CHECK(nothing_held(proxy));
      CHECK(proxy.accounts_balance());
      CHECK(proxy.stat("aborted") == 100);
    }
  }
}

TEST_CASE("a late body of any framing is buffered without a slot, then forwarded whole") {
  Upstream upstream(echo);
  Proxy proxy(upstream, {.admission = admit(1) + ", queue: {max_wait: 60s}"});
  const std::string body = pattern(40'000);
  for (const std::size_t first : {std::size_t{0}, std::size_t{1}, std::size_t{17'000}, std::size_t{39'999}}) {
    for (const bool by_length : {true, false}) {
      for (const bool asks : {false, true}) {
        CAPTURE(first);
        CAPTURE(by_length);
        CAPTURE(asks);
        const std::string raw = by_length ? body : chunked(body, 700);
        Client client(proxy);
        client.send(head_of("/", std::string(asks ? "Expect: 100-continue\r\n" : "") +
                                     (by_length ? "Content-Length: 40000" : "Transfer-Encoding: chunked")));
        if (asks) CHECK(client.receive().status == 100);
        client.send(raw.substr(0, first));
        CHECK(Client(proxy).get("/other").status == 200);  // through the only slot
        client.send(raw.substr(first) + "GET /next HTTP/1.1\r\nHost: test\r\n\r\n");
        const Reply reply = client.receive();
        CHECK(reply.status == 200);
        CHECK(reply.body == body);
        CHECK(client.receive().status == 200);
      }
    }
  }
  CHECK(nothing_held(proxy));
  CHECK(proxy.accounts_balance());
}

/// Half of a body of 40,000 bytes, for which the proxy holds 32 KiB.
std::string half_of(const std::string& body) {
  return head_of("/", "Content-Length: " + std::to_string(body.size())) + body.substr(0, body.size() / 2);
}

constexpr int kFlood = 600;
constexpr int kFit = 256;  ///< into half of 16 MiB

/// Bodies that trickle, more than fit into the memory of all, and how honest uploads fare meanwhile.
void flood_with_halves(const Proxy& proxy) {
  const std::string body = pattern(40'000);
  std::list<Client> slow;
  for (int i = 0; i < kFlood; ++i) slow.emplace_back(proxy).send(half_of(body));
  for (int i = 0; i < 10; ++i) {
    for (Client& client : slow) client.send("x");
    Client honest(proxy);
    honest.send(half_of(body));
    CHECK(Client(proxy).get("/other").status == 200);
    honest.send(body.substr(body.size() / 2));
    const Reply reply = honest.receive();
    CHECK(reply.status == 200);
    CHECK(reply.body == body);
  }
  CHECK(eventually([&] { return proxy.stat("buffered_bytes") <= (kFit + 1) * 32.0 * 1024; }));
  int told = 0;
  for (Client& client : slow) {
    if (client.wire().at_rest()) continue;
    const Reply reply = client.receive();
    told += reply.status == 408 && reply.problem("reason") == "client_slow";
  }
  CHECK(told >= kFlood - kFit - 1);
  CHECK(told < kFlood);  // those that fit go on
  CHECK(proxy.metric("load_shedding_rejections") == 0);
}

TEST_CASE("bodies that trickle take half of the memory, then the slowest end with 408, and other uploads find room") {
  for (const int workers : {1, 2}) {
    CAPTURE(workers);
    Upstream upstream(echo);
    Proxy proxy(upstream,
                {.workers = workers, .timeouts = "request_body: 60s", .limits = "buffered: 16MiB, min_rate: 0"});
    flood_with_halves(proxy);
    CHECK(nothing_held(proxy));
    CHECK(proxy.accounts_balance());
  }
}

TEST_CASE("over HTTP/2, too, bodies that trickle take half of the memory, and other uploads find room") {
  Upstream upstream(echo);
  Proxy proxy(upstream,
              {.timeouts = "request_body: 60s", .limits = "buffered: 1MiB, min_rate: 0", .listen = kHttp2Listen});
  const std::string body = pattern(40'000);
  const std::string half = body.substr(0, 12'000);
  std::list<H2Client> slow;
  std::list<std::pair<H2Client*, std::uint32_t>> streams;
  for (int i = 0; i < 25; ++i) {
    H2Client& client = slow.emplace_back(proxy);
    for (int j = 0; j < 5; ++j) {
      streams.emplace_back(&client, client.start("POST", "/", false));
      client.data(streams.back().second, half);
    }
  }
  // Rates tell who is slow: a second later an honest client may be held up for as long, and is still faster.
  std::this_thread::sleep_until(std::chrono::steady_clock::now() + std::chrono::seconds(1));
  for (int i = 0; i < 5; ++i) {
    H2Client honest(proxy);
    const std::uint32_t stream = honest.start("POST", "/", false);
    honest.data(stream, half);
    honest.data(stream, body.substr(half.size(), half.size()));
    CHECK(H2Client(proxy).get("/other").status() == 200);
    honest.data(stream, body.substr(2 * half.size()), true);
    const H2Reply reply = honest.receive(stream);
    CHECK(reply.status() == 200);
    CHECK(reply.body == body);
  }
  CHECK(eventually([&] { return proxy.stat("buffered_bytes") <= 536.0 * 1024; }));
  const double told = proxy.metric("spillway_requests_total", {{"outcome", "timeout"}, {"code", "4xx"}});
  CHECK(told >= 125 - 43);
  CHECK(told < 125);  // those that fit go on
  CHECK(proxy.metric("load_shedding_rejections") == 0);
  slow.clear();
  CHECK(nothing_held(proxy));
  CHECK(proxy.accounts_balance());
}

TEST_CASE("a body that finds no memory because others wait for a slot with theirs is refused, and they go on") {
  Upstream upstream([](Turn& turn) {
    if (turn.request() == "GET /held") turn.hold();
    turn.answer(turn.body());
  });
  Proxy proxy(upstream, {.timeouts = "request_body: 60s",
                         .limits = "buffered: 64KiB",
                         .admission = "max_concurrent: 2, shed_at: 0.5, queue: {max_wait: 60s}",
                         .more = kCritical});
  const std::string body = pattern(40'000);
  Client whole(proxy);
  whole.send(half_of(body));
  CHECK(eventually([&] { return proxy.stat("in_flight") == 0 && proxy.stat("buffered_bytes") == 32.0 * 1024; }));
  std::list<Client> held = fill(proxy, upstream, 1);
  whole.send(body.substr(20'000));
  CHECK(proxy.await_metric("spillway_queue_length", 1));
  CHECK(proxy.stat("buffered_bytes") == 64.0 * 1024);
  Client one_more(proxy);
  one_more.send(head_of("/critical/x", "Content-Length: 40000") + body.substr(0, 20'000));
  const Reply refused = one_more.receive();
  CHECK(refused.status == 503);
  CHECK(refused.problem("reason") == "capacity");
  CHECK(refused.has("Retry-After"));
  // Bytes that came with the head, or fit the block of the connection, need none of this memory.
  CHECK(Client(proxy).request("POST", "/critical/x", "", pattern(10'000)).body == pattern(10'000));
  upstream.release();
  check_answered(held);
  CHECK(whole.receive().body == body);
  CHECK(nothing_held(proxy));
  CHECK(proxy.accounts_balance());
}

TEST_CASE("without a limit of slots a lack of memory refuses no request") {
  for (const char* mode : {"shadow", "off"}) {
    CAPTURE(mode);
    Upstream upstream(echo);
    Proxy proxy(upstream, {.limits = "buffered: 0", .admission = std::string("mode: ") + mode});
    const std::string body = pattern(40'000);
    Client late(proxy);
    late.send(head_of("/", "Content-Length: 40000") + body.substr(0, 20'000));
    CHECK(eventually([&] { return upstream.inside() == 1; }));
    late.send(body.substr(20'000));
    CHECK(late.receive().body == body);
    CHECK(proxy.accounts_balance());
  }
}

TEST_CASE("a buffered body is sent again when an idle connection turns out closed") {
  for (const bool by_length : {true, false}) {
    CAPTURE(by_length);
    Upstream upstream([](Turn& turn) {
      turn.body();
      turn.number() == 0 ? turn.answer(turn.body()) : turn.close();
    });
    Proxy proxy(upstream);
    CHECK(Client(proxy).get("/first").status == 200);
    const std::string body = pattern(30'000);
    const std::string raw = by_length ? body : chunked(body);
    Client client(proxy);
    client.send("PUT / HTTP/1.1\r\nHost: test\r\n" +
                std::string(by_length ? "Content-Length: 30000" : "Transfer-Encoding: chunked") + "\r\n\r\n" +
                raw.substr(0, 20'000));
    CHECK(eventually([&] { return proxy.stat("in_flight") == 0 && proxy.stat("buffered_bytes") > 0; }));
    client.send(raw.substr(20'000));
    const Reply reply = client.receive();
    CHECK(reply.status == 200);
    CHECK(reply.body == body);
    CHECK(upstream.requests() == 3);
    CHECK(proxy.await_metric("spillway_upstream_retries_total", 1));
    CHECK(nothing_held(proxy));
  }
}

TEST_CASE("a client that leaves while its body is awaited leaks nothing, in any state") {
  Upstream upstream([](Turn& turn) {
    if (turn.request() == "GET /held") turn.hold();
    turn.answer(turn.body());
  });
  const std::string head = head_of("/", "Content-Length: 200000");
  for (const std::size_t sent : {std::size_t{0}, std::size_t{100}, std::size_t{20'000}, std::size_t{60'000}}) {
    for (const bool queued : {false, true}) {
      for (const bool reset : {false, true}) {
        CAPTURE(sent);
        CAPTURE(queued);
        CAPTURE(reset);
        Proxy proxy(upstream, {.timeouts = "request_body: 60s", .admission = admit(1) + ", queue: {max_wait: 60s}"});
        std::list<Client> held;
        if (queued) held = fill(proxy, upstream, 1);
        const int before = upstream.inside();
        Client client(proxy);
        client.send(head + pattern(sent));
        if (queued) {
          CHECK(proxy.await_metric("spillway_queue_length", 1));
        } else if (sent < 60'000) {
          CHECK(eventually([&] { return proxy.stat("parsed") == 1 && proxy.stat("in_flight") == 0; }));
        } else {
          CHECK(eventually([&] { return upstream.inside() == before + 1; }));
        }
        reset ? client.wire().reset() : client.close();
        // The proxy sees the end once it has read the bytes before it; more than a block needs a slot.
        if (sent < 20'000) CHECK(proxy.await_metric("spillway_queue_length", 0));
        if (queued) upstream.release();
        check_answered(held);
        CHECK(nothing_held(proxy));
        CHECK(proxy.accounts_balance());
        CHECK(proxy.stat("aborted") == 1);
      }
    }
  }
}

}  // namespace
}  // namespace spillway::test
