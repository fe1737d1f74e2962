// How many requests go on to the API at a time, and what becomes of the others.

#include <list>

#include <doctest/doctest.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"

namespace spillway::test {
namespace {

constexpr const char* kClasses =
    "classes:\n"
    "  - {name: critical, shed_at: 1.0, match: [{path_prefix: /critical/}]}\n"
    "  - {name: background, shed_at: 0.6, match: [{header: X-Priority, value: background}]}\n";

void hold(Turn& turn) {
  turn.hold();
  turn.answer();
}

/// Clients with a request each that the API holds.
std::list<Client> fill(const Proxy& proxy, const Upstream& upstream, int count, const char* target = "/held") {
  std::list<Client> clients;
  const int before = upstream.inside();
  for (int i = 0; i < count; ++i) clients.emplace_back(proxy).start("GET", target);
  CHECK(eventually([&] { return upstream.inside() == before + count; }));
  return clients;
}

void check_answered(std::list<Client>& clients) {
  for (Client& client : clients) CHECK(client.receive().status == 200);
}

void check_refusal(const Reply& reply, const char* reason) {
  CHECK(reply.status == 503);
  CHECK(reply.field("Retry-After") == "5");
  CHECK(reply.field("Content-Type") == "application/problem+json");
  CHECK(reply.field("Cache-Control") == "no-store");
  CHECK(reply.field("Proxy-Status").starts_with("spillway; error="));
  CHECK(reply.problem("type") == "about:blank");
  CHECK(reply.problem("title") == "Service Unavailable");
  CHECK(reply.problem("status") == "503");
  CHECK(reply.problem("detail") == "Service at capacity, please retry");
  CHECK(reply.problem("reason") == reason);
  CHECK(reply.problem("request_id").size() >= 16);
  CHECK(reply.problem("request_id") == reply.field("X-Request-ID"));
}

TEST_CASE("exactly 80 of 100 slots are for normal requests: the 81st waits, then is told to come back") {
  for (const int workers : {1, 2}) {
    for (const Upstream::Kind kind : {Upstream::Kind::tcp, Upstream::Kind::unix_socket}) {
      CAPTURE(workers);
      CAPTURE(kind == Upstream::Kind::tcp);
      Upstream upstream(hold, kind);
      Proxy proxy(upstream, {.workers = workers, .admission = "queue: {max_wait: 300ms}"});
      std::list<Client> held = fill(proxy, upstream, 80);
      CHECK(proxy.metric("spillway_inflight") == 80);
      CHECK(proxy.metric("spillway_queue_length") == 0);

      Client one_more(proxy);
      const auto began = std::chrono::steady_clock::now();
      one_more.start("GET", "/one-more");
      const Reply reply = one_more.receive();
      CHECK(std::chrono::steady_clock::now() - began >= std::chrono::milliseconds(300));
      check_refusal(reply, "queue_timeout");
      CHECK_FALSE(reply.has("Connection"));
      CHECK(upstream.inside() == 80);
      CHECK(upstream.requests() == 80);
      CHECK(proxy.metric("load_shedding_rejections", {{"reason", "queue_timeout"}, {"class", "normal"}}) == 1);

      upstream.release_all();
      check_answered(held);
      CHECK(one_more.get("/again").status == 200);
      CHECK(upstream.most_inside() == 80);
      CHECK(proxy.accounts_balance());
      CHECK(proxy.metric("spillway_requests_total", {{"class", "normal"}, {"outcome", "ok"}, {"code", "2xx"}}) == 81);
      CHECK(proxy.metric("spillway_requests_total", {{"outcome", "shed"}, {"code", "5xx"}}) == 1);
    }
  }
}

}  // namespace
}  // namespace spillway::test
