// The keep-alive race, many times: the API closes connections at random moments. No GET may fail, and no POST may
// arrive twice. SPILLWAY_RACE_REQUESTS says how many requests; `make race` sends a million.

#include <atomic>
#include <cstdlib>
#include <random>
#include <thread>

#include <doctest/doctest.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"

namespace spillway::test {
namespace {

constexpr int kClients = 8;

int wanted_requests() {
  const char* text = std::getenv("SPILLWAY_RACE_REQUESTS");
  return text ? std::atoi(text) : 20'000;
}

/// Whether a connection of the API ends now, and how.
enum class Whim { stay, close, reset };

Whim whim(int one_in) {
  thread_local std::minstd_rand random(std::random_device{}());
  if (random() % static_cast<unsigned>(one_in) != 0) return Whim::stay;
  return random() % 2 == 0 ? Whim::close : Whim::reset;
}

void follow(Whim whim, Turn& turn) {
  if (whim == Whim::close) turn.close();
  if (whim == Whim::reset) turn.reset();
}

TEST_CASE("with an API that closes connections at random moments no GET fails and no POST is sent twice") {
  const int requests = wanted_requests();
  std::vector<std::atomic<int>> posts(static_cast<std::size_t>(requests));
  Upstream upstream([&](Turn& turn) {
    turn.body();
    const std::string request = turn.request();
    if (request.starts_with("POST /")) ++posts[std::stoul(request.substr(6))];
    // Amid a request, but never the first one of a connection: a retry must find a connection that serves it.
    const Whim before = turn.number() > 0 ? whim(50) : Whim::stay;
    if (before != Whim::stay) return follow(before, turn);
    turn.answer();
    const Whim after = whim(20);
    // At once, or about when the next request arrives.
    if (after != Whim::stay && turn.number() % 2 == 0) std::this_thread::sleep_for(std::chrono::microseconds(100));
    follow(after, turn);
  });
  Proxy proxy(upstream, {.admission = admit(64), .more = "retry: {attempts: 1, budget: 1}\nlog: {access: off}\n"});

  std::atomic<int> next = 0, gets_failed = 0, posts_failed = 0, answered_unsent = 0, others = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&] {
      Client client(proxy);
      for (int n = next++; n < requests; n = next++) {
        const bool post = n % 4 == 0;
        const Reply reply = post ? client.request("POST", "/" + std::to_string(n), "", "body") : client.get("/");
        if (reply.status == 0) client = Client(proxy);
        if (reply.status != 200 && reply.status != 502) ++others;
        if (reply.status != 200) ++(post ? posts_failed : gets_failed);
        if (post && reply.status == 200 && posts[static_cast<std::size_t>(n)] != 1) ++answered_unsent;
      }
    });
  }
  for (std::thread& client : clients) client.join();

  int twice = 0;
  for (const auto& times : posts) twice += times > 1;
  CHECK(gets_failed == 0);
  CHECK(twice == 0);
  CHECK(answered_unsent == 0);
  CHECK(others == 0);
  CHECK(proxy.accounts_balance());
  CHECK(proxy.metric("spillway_upstream_retries_total") > 0);
  MESSAGE(requests, " requests over ", upstream.connections(), " connections, ",
          proxy.metric("spillway_upstream_retries_total"), " repeated; of ", requests / 4, " POSTs ",
          posts_failed.load(), " answered 502, none delivered twice");
}

}  // namespace
}  // namespace spillway::test
