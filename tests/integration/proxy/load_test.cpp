// The limit of requests in flight is exact, with any number of clients and workers.

#include <atomic>
#include <thread>

#include <doctest/doctest.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"

namespace spillway::test {
namespace {

constexpr int kRequests = 100'000;
constexpr int kCap = 8;
constexpr int kClients = 24;  ///< three times the limit, so that some always queue

TEST_CASE("100,000 requests reach the limit and never exceed it, and each gets its own response") {
  for (const Upstream::Kind kind : {Upstream::Kind::tcp, Upstream::Kind::unix_socket}) {
    Upstream upstream(
        [](Turn& turn) {
          turn.hold();
          turn.answer(turn.request());
        },
        kind);
    Proxy proxy(upstream, {.workers = 2,
                           .admission = admit(kCap) + ", queue: {max_wait: 1m}",
                           .more = "log: {format: json, access: off}\n"});
    std::atomic<int> sent = 0, wrong = 0;
    std::vector<std::thread> clients;
    for (int c = 0; c < kClients; ++c) {
      clients.emplace_back([&] {
        Client client(proxy);
        for (int number = sent++; number < kRequests / 2; number = sent++) {
          const std::string target = "/" + std::to_string(number);
          const Reply reply = client.get(target);
          wrong += reply.status != 200 || reply.body != "GET " + target;
        }
      });
    }
    // The API holds the first requests until the limit is reached: fast responses might never reach it.
    CHECK(eventually([&] { return upstream.inside() == kCap; }));
    upstream.release_all();
    for (std::thread& client : clients) client.join();
    CHECK(wrong == 0);
    CHECK(upstream.requests() == kRequests / 2);
    CHECK(upstream.most_inside() == kCap);
    CHECK(proxy.accounts_balance());
    CHECK(proxy.stat("answered_by_api") == kRequests / 2);
    CHECK(proxy.await_metric("request_concurrency_bucket", kRequests / 2, {{"le", "10"}}));
    MESSAGE(upstream.requests(), " requests, at most ", upstream.most_inside(), " at a time");
  }
}

}  // namespace
}  // namespace spillway::test
