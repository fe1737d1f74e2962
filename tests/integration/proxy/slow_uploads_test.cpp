// Clients that are slow with a body too large to wait for: it flows to the API, and loses its slot if it must.

#include <atomic>
#include <list>
#include <thread>

#include "tests/integration/proxy/held.hpp"
#include "tests/integration/proxy/posting.hpp"

namespace spillway::test {
namespace {

/// An upload of which a first part comes at once. The larger one passes within the kernel.
struct Upload {
  std::size_t size, first;
  std::string head() const { return head_of("/", "Content-Length: " + std::to_string(size)); }
};
constexpr Upload kUploads[] = {{200'000, 60'000}, {4'000'000, 200'000}};

TEST_CASE("a large upload below the least rate while the API waits loses its slot") {
  for (const Upload& upload : kUploads) {
    CAPTURE(upload.size);
    std::atomic<int> left = 0;
    Upstream upstream([&](Turn& turn) { left += turn.left(); });
    Proxy proxy(upstream, {.timeouts = "request_body: 60s", .admission = admit(1)});
    Client slow(proxy);
    slow.send(upload.head() + pattern(upload.first));
    REQUIRE(eventually([&] { return upstream.inside() == 1; }));
    CHECK(eventually([&] {
      slow.send("x");
      return !slow.wire().at_rest();
    }));
    const Reply reply = slow.receive();
    CHECK(reply.status == 408);
    CHECK(reply.problem("reason") == "client_slow");
    CHECK(reply.field("Connection") == "close");
    CHECK(eventually([&] { return left == 1; }));
    CHECK(nothing_held(proxy));
    CHECK(proxy.accounts_balance());
    CHECK(proxy.await_metric("spillway_requests_total", 1, {{"outcome", "timeout"}, {"code", "4xx"}}));
  }
}

TEST_CASE("large uploads that are late are told so, also if a byte comes together with their deadline") {
  for (const Upload& upload : kUploads) {
    CAPTURE(upload.size);
    constexpr int kCount = 32;
    Upstream upstream([](Turn& turn) { turn.left(); });
    // However fast this sends, it is late.
    Proxy proxy(upstream, {.timeouts = "request_body: 60s", .limits = "min_rate: 100MiB", .admission = admit(kCount)});
    std::list<Client> slow;
    for (int i = 0; i < kCount; ++i) {
      slow.emplace_back(proxy).send(upload.head() + pattern(upload.first));
    }
    // On a slow machine the first has been told already when the last one comes.
    REQUIRE(eventually([&] { return upstream.requests() == kCount; }));
    CHECK(eventually([&] {
      bool all_ended = true;
      for (Client& client : slow) {
        if (!client.wire().at_rest()) continue;
        client.send("x");
        all_ended = false;
      }
      return all_ended;
    }));
    for (Client& client : slow) CHECK(client.receive().problem("reason") == "client_slow");
    CHECK(nothing_held(proxy));
    CHECK(proxy.accounts_balance());
    CHECK(proxy.await_metric("spillway_requests_total", kCount, {{"outcome", "timeout"}, {"code", "4xx"}}));
  }
}

TEST_CASE("an API that closes, resets or answers 408 because an upload is slow is not blamed for its client") {
  constexpr int kCount = 20;
  for (const Upload& upload : kUploads) {
    for (const std::string end : {"close", "reset", "408"}) {
      CAPTURE(upload.size);
      CAPTURE(end);
      Upstream upstream([&](Turn& turn) {
        if (turn.request() != "POST /") return turn.answer();
        turn.hold();
        if (end == "408") turn.send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        end == "reset" ? turn.reset() : turn.close();
      });
      Proxy proxy(upstream, {.health = "mode: off",
                             .timeouts = "request_body: 60s",
                             .limits = "min_rate: 0",
                             .more = "breaker: {min_requests: 10, open_for: 1m}\n"});
      std::list<Client> slow;
      for (int i = 0; i < kCount; ++i) slow.emplace_back(proxy).send(upload.head() + pattern(upload.first));
      REQUIRE(eventually([&] { return upstream.inside() == kCount; }));
      std::this_thread::sleep_until(std::chrono::steady_clock::now() + std::chrono::milliseconds(1100));
      upstream.release_all();
      for (Client& client : slow) {
        const Reply reply = client.receive();
        CHECK(reply.status == 408);
        if (end != "408") CHECK(reply.problem("reason") == "client_timeout");
      }
      CHECK(Client(proxy).get("/").status == 200);
      CHECK(nothing_held(proxy));
      CHECK(proxy.accounts_balance());
      CHECK(proxy.metric("spillway_breaker_state") == 0);
      CHECK(proxy.metric("spillway_requests_total", {{"code", "4xx"}}) == kCount);
      CHECK(proxy.metric("spillway_requests_total", {{"outcome", "upstream_error"}}) == 0);
      CHECK(proxy.metric("spillway_upstream_retries_total") == 0);
    }
  }
}

TEST_CASE("an API that closes as soon as an upload begins is blamed, and opens the breaker") {
  for (const Upload& upload : kUploads) {
    CAPTURE(upload.size);
    Upstream upstream([](Turn& turn) { turn.close(); });
    Proxy proxy(upstream, {.health = "mode: off", .more = "breaker: {min_requests: 10, open_for: 1m}\n"});
    for (int i = 0; i < 10; ++i) {
      Client client(proxy);
      client.send(upload.head() + pattern(upload.first));
      CHECK(client.receive().problem("reason") == "upstream_closed");
    }
    CHECK(Client(proxy).get("/").problem("reason") == "breaker");
  }
}

TEST_CASE("when a request queues, only the slowest upload loses its slot") {
  for (const Upload& upload : kUploads) {
    CAPTURE(upload.size);
    Upstream upstream(echo);
    Proxy proxy(
        upstream,
        {.timeouts = "request_body: 60s", .limits = "min_rate: 0", .admission = admit(2) + ", queue: {max_wait: 60s}"});
    const std::string body = pattern(upload.size);
    Client slowest(proxy), slow(proxy);
    slowest.send(upload.head() + body.substr(0, upload.first));
    REQUIRE(eventually([&] { return upstream.inside() == 1; }));
    slow.send(upload.head() + body.substr(0, upload.first));
    REQUIRE(eventually([&] { return upstream.inside() == 2; }));
    CHECK(Client(proxy).get("/").status == 200);
    const Reply cut = slowest.receive();
    CHECK(cut.status == 408);
    CHECK(cut.problem("reason") == "client_slow");
    for (int i = 0; i < 10; ++i) CHECK(Client(proxy).get("/").status == 200);
    slow.send(body.substr(upload.first));
    CHECK(slow.receive().body == body);
    CHECK(nothing_held(proxy));
    CHECK(proxy.accounts_balance());
  }
}

TEST_CASE("an upload that waits for the API is not slow, and keeps its slot") {
  Upstream upstream([](Turn& turn) {
    turn.hold();
    turn.answer(std::to_string(turn.body().size()));
  });
  Proxy proxy(upstream, {.limits = "body: 0", .admission = admit(1) + ", queue: {max_wait: 2s}"});
  constexpr std::size_t kSize = 64 * 1024 * 1024;  // more than the sockets hold
  Client upload(proxy);
  std::thread sender([&] { upload.send(head_of("/", "Content-Length: " + std::to_string(kSize)) + pattern(kSize)); });
  REQUIRE(eventually([&] { return upstream.inside() == 1; }));
  CHECK(Client(proxy).get("/").problem("reason") == "queue_timeout");
  upstream.release_all();
  sender.join();
  CHECK(upload.receive().body == std::to_string(kSize));
  CHECK(nothing_held(proxy));
  CHECK(proxy.accounts_balance());
}

}  // namespace
}  // namespace spillway::test
