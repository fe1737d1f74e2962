// Clients that read slowly hold no slot, or not for long: all other requests are served.

#include <list>

#include <sys/socket.h>

#include "tests/integration/proxy/held.hpp"

namespace spillway::test {
namespace {

constexpr std::size_t kMiB = 1024 * 1024;
constexpr std::size_t kHuge = 64 * kMiB;  // more than sockets and memory hold

/// Answers with as many MiB as the target says, by length or in chunks.
void large(Turn& turn) {
  const std::string target = turn.request().substr(turn.request().find('/'));
  if (target == "/huge") return turn.answer(pattern(kHuge));
  if (target == "/7-chunked") {
    turn.body();
    return turn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(pattern(7 * kMiB), 30'000));
  }
  turn.answer(target == "/7" ? pattern(7 * kMiB) : "ok");
}

TEST_CASE("16 clients that do not read their answers of some MiB hold none of 20 slots, and get all of it later") {
  // The system holds up to 4 MiB of a body before the proxy has to keep any.
  for (const std::string target : {"/7", "/7-chunked"}) {
    CAPTURE(target);
    Upstream upstream(large);
    // max_wait is long enough for the proxy to read 64 MiB, also under a sanitizer.
    Proxy proxy(upstream, {.admission = "max_concurrent: 20, queue: {max_wait: 60s}", .more = kCritical});
    std::list<Client> slow;
    const int small = 64 * 1024;  // else the system may take all of it, and the proxy has nothing to keep
    for (int i = 1; i <= 16; ++i) {
      Client& client = slow.emplace_back(proxy);
      ::setsockopt(client.wire().descriptor(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
      client.start("GET", target);
    }
    for (int i = 0; i < 20; ++i) {
      CHECK(Client(proxy).get("/").status == 200);
      CHECK(Client(proxy).get("/critical/x").status == 200);
    }
    CHECK(eventually([&] { return upstream.requests() == 16 + 40 && proxy.stat("in_flight") == 0; }));
    CHECK(proxy.stat("buffered_bytes") > 0);
    CHECK(proxy.stat("buffered_bytes") <= 64.0 * kMiB);
    for (Client& client : slow) {
      const Reply reply = client.receive();
      CHECK(reply.whole);
      CHECK(reply.body == pattern(7 * kMiB));
    }
    CHECK(nothing_held(proxy));
    CHECK(proxy.metric("load_shedding_rejections") == 0);
    CHECK(proxy.accounts_balance());
  }
}

TEST_CASE("when a request queues and memory is used up, only the slowest reader's response is cut") {
  Upstream upstream(large);
  Proxy proxy(upstream, {.timeouts = "response: 60s",
                         .limits = "buffered: 0, min_rate: 0",
                         .admission = admit(2) + ", queue: {max_wait: 60s}"});
  Client slow[] = {Client(proxy), Client(proxy)};
  for (Client& client : slow) client.start("GET", "/huge");
  REQUIRE(eventually([&] { return upstream.requests() == 2; }));
  for (int i = 0; i < 10; ++i) CHECK(Client(proxy).get("/").status == 200);
  int whole = 0, cut = 0;
  for (Client& client : slow) {
    const Reply reply = client.receive();
    CHECK(reply.status == 200);
    whole += reply.whole && reply.body == pattern(kHuge);
    cut += !reply.whole && client.wire().end() == End::reset;
  }
  CHECK(whole == 1);
  CHECK(cut == 1);
  CHECK(nothing_held(proxy));
  CHECK(proxy.accounts_balance());
}

TEST_CASE("a reader below the least rate while the API waits is cut; a faster one is not") {
  Upstream upstream(large);
  Proxy proxy(upstream, {.timeouts = "response: 60s", .admission = admit(2)});
  Client silent(proxy), reader(proxy);
  silent.start("GET", "/huge");
  reader.start("GET", "/huge");
  CHECK(reader.receive().body == pattern(kHuge));
  CHECK(nothing_held(proxy));
  CHECK_FALSE(silent.receive().whole);
  CHECK(silent.wire().end() == End::reset);
  CHECK(proxy.accounts_balance());
  CHECK(proxy.await_metric("spillway_requests_total", 1, {{"outcome", "timeout"}, {"code", "4xx"}}));
}

TEST_CASE("a client that leaves before it has read its response leaks nothing, in any state") {
  Upstream upstream(large);
  for (const std::string target : {"/7", "/7-chunked", "/huge"}) {
    for (const bool reset : {false, true}) {
      CAPTURE(target);
      CAPTURE(reset);
      Proxy proxy(upstream, {.timeouts = "response: 60s", .limits = "min_rate: 0"});
      Client client(proxy);
      const int small = 4096;  // else the system may take all 4 MiB, and nothing is left that could not be sent
      ::setsockopt(client.wire().descriptor(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
      client.start("GET", target);
      const bool stays = target == std::string("/huge");
      CHECK(eventually([&] { return proxy.stat("parsed") == 1 && (stays || proxy.stat("in_flight") == 0); }));
      std::string head;
      CHECK(client.wire().read_head(head));
      reset ? client.wire().reset() : client.close();
      CHECK(nothing_held(proxy));
      CHECK(proxy.accounts_balance());
      CHECK(proxy.stat("aborted") == 1);
    }
  }
}

}  // namespace
}  // namespace spillway::test
