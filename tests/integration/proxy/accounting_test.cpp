// Every request is counted once, however it ends.

#include <random>
#include <thread>

#include <doctest/doctest.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"

namespace spillway::test {
namespace {

TEST_CASE("every series of the contract is there from the start, at 0") {
  Upstream upstream;
  Proxy proxy(upstream, {.workers = 2,
                         .more = "classes: [{name: critical, shed_at: 1, match: [{path: /health}]},"
                                 " {name: background, shed_at: 0.6, match: [{path: /slow}]}]\n"});
  for (const char* name :
       {"database_pool_size", "database_pool_overflow", "database_pool_checkedin", "database_pool_capacity",
        "database_pool_waiters", "database_connection_errors", "request_concurrency_count", "request_concurrency_sum",
        "spillway_inflight", "spillway_queue_length", "spillway_upstream_connects_total",
        "spillway_upstream_connect_failures_total", "spillway_upstream_retries_total", "spillway_breaker_state",
        "spillway_maintenance", "spillway_draining", "spillway_client_connections",
        "spillway_log_lines_dropped_total"}) {
    CAPTURE(name);
    CHECK(proxy.metric(name) == 0);
  }
  for (const char* state : {"active", "idle"}) {
    CHECK(proxy.metric("spillway_upstream_connections", {{"state", state}}) == 0);
  }
  for (const char* code : {"400", "405", "408", "413", "414", "417", "431", "501", "505"}) {
    CAPTURE(code);
    CHECK(proxy.metric("spillway_bad_requests_total", {{"code", code}}) == 0);
  }
  for (const char* of_class : {"normal", "critical", "background"}) {
    CAPTURE(of_class);
    for (const char* reason : {"capacity", "queue_full", "queue_timeout", "pool", "fairness", "cohort", "deadline",
                               "breaker", "maintenance", "connections", "draining", "upstream_connections"}) {
      CAPTURE(reason);
      CHECK(proxy.metric("load_shedding_rejections", {{"reason", reason}, {"class", of_class}}) == 0);
      CHECK(proxy.metric("spillway_shadow_rejections_total", {{"reason", reason}, {"class", of_class}}) == 0);
    }
    for (const auto& [outcome, code] : {std::pair{"ok", "2xx"},
                                        {"ok", "3xx"},
                                        {"client_error", "4xx"},
                                        {"upstream_error", "5xx"},
                                        {"shed", "5xx"},
                                        {"timeout", "5xx"}}) {
      CAPTURE(outcome);
      CHECK(proxy.metric("spillway_requests_total", {{"class", of_class}, {"outcome", outcome}, {"code", code}}) == 0);
    }
    CHECK(proxy.metric("spillway_requests_total", {{"class", of_class}, {"outcome", "aborted"}}) == 0);
    for (const char* name :
         {"spillway_request_duration_seconds", "spillway_upstream_duration_seconds", "spillway_queue_wait_seconds"}) {
      CAPTURE(name);
      CHECK(proxy.metric(std::string(name) + "_count", {{"class", of_class}}) == 0);
      CHECK(proxy.metric(std::string(name) + "_bucket", {{"class", of_class}, {"le", "+Inf"}}) == 0);
    }
  }
  CHECK(proxy.metric("spillway_capacity") == 100);
  CHECK(proxy.metric("spillway_concurrency_limit") == 100);
  CHECK(proxy.metric("spillway_build_info") == 1);
  CHECK(proxy.metric("spillway_config_last_reload_successful") == 1);
  CHECK(proxy.metric("spillway_config_last_reload_timestamp_seconds") > 1'600'000'000);
  CHECK(proxy.await_metric("spillway_upstream_healthy", 1));
}

/// An API whose behaviour the target selects: it answers, fails or stalls.
void do_as_told(Turn& turn) {
  const std::string request = turn.request();
  const std::string what = request.substr(request.rfind('/'));
  if (what == "/missing") return turn.answer("", "", "404 Not Found");
  if (what == "/broken") return turn.answer("", "", "500 Internal Server Error");
  if (what == "/close") return turn.close();
  if (what == "/reset") return turn.reset();
  if (what == "/nonsense") return turn.send("nonsense\r\n\r\n"), turn.close();
  if (what == "/cut") return turn.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), turn.close();
  if (what == "/silent") return static_cast<void>(turn.left());
  if (what == "/early") {
    turn.send("HTTP/1.1 409 Conflict\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    return static_cast<void>(turn.left());
  }
  turn.answer(what == "/large" ? pattern(300'000) : "ok");
}

/// Sends one request of a kind chosen at random, valid or not.
void misbehave(const Proxy& proxy, std::mt19937& random, Client& kept) {
  static const char* const kTargets[] = {"/ok",    "/missing",  "/broken", "/close",  "/reset",
                                         "/large", "/nonsense", "/cut",    "/silent", "/ok"};
  const char* target = kTargets[random() % std::size(kTargets)];
  Client client(proxy);
  switch (random() % 8) {
    case 0:  // on a keep-alive connection
      if (kept.get(target).status == 0 || random() % 4 == 0) kept = Client(proxy);
      break;
    case 1:
      client.request("POST", target, "", pattern(random() % 40'000));
      break;
    case 2:  // leaves at once
      client.start("GET", target);
      break;
    case 3:  // leaves amid its body
      client.send("POST /ok HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n" + pattern(random() % 90'000));
      break;
    case 4:  // leaves amid the response
      client.start("GET", "/large");
      client.wire().read_more();
      if (random() % 2) client.wire().reset();
      break;
    case 5:
      client.send("POST /early HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n" +
                  chunked(pattern(random() % 60'000)));
      client.receive();
      break;
    case 6:  // a valid one, and invalid ones of each kind behind it
      client.send("GET /ok HTTP/1.1\r\nHost: test\r\n\r\n");
      client.send(random() % 2 ? "GET / HTTP/1.1\r\n\r\n"
                               : "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n");
      client.receive();
      client.receive();
      break;
    case 7:  // pipelined
      client.send("GET /ok HTTP/1.1\r\nHost: test\r\n\r\nGET /large HTTP/1.1\r\nHost: test\r\n\r\n");
      client.receive();
      if (random() % 2) client.receive();
      break;
  }
}

TEST_CASE("after load of every kind, each request has been answered or aborted once, and counted once") {
  for (const std::string when_client_leaves : {"finish", "cancel"}) {
    for (const int workers : {1, 2}) {
      CAPTURE(when_client_leaves);
      CAPTURE(workers);
      Upstream upstream(do_as_told);
      Proxy proxy(upstream, {.workers = workers,
                             .upstream = "when_client_leaves: " + when_client_leaves,
                             .timeouts = "response: 50ms, request_body: 100ms",
                             .limits = "body: 1MiB",
                             .admission = admit(4) + ", queue: {max_length: 3, max_wait: 20ms}"});
      REQUIRE(proxy.await_metric("spillway_client_connections", 0));  // the admin listener starts last
      const int descriptors = proxy.descriptors();
      std::vector<std::thread> clients;
      for (unsigned seed = 1; seed <= 12; ++seed) {
        clients.emplace_back([&proxy, seed] {
          std::mt19937 random(seed);
          Client kept(proxy);
          for (int i = 0; i < 60; ++i) misbehave(proxy, random, kept);
        });
      }
      for (std::thread& client : clients) client.join();
      CHECK(proxy.accounts_balance());
      CHECK(upstream.most_inside() > 0);
      // Each kind of end has occurred.
      for (const char* outcome : {"ok", "client_error", "upstream_error", "shed", "timeout", "aborted"}) {
        CAPTURE(outcome);
        CHECK(proxy.metric("spillway_requests_total", {{"outcome", outcome}}) > 0);
      }
      // The last request may be one whose client left while it was in the kernel's accept queue.
      const auto equal = [&](auto one, auto other) { return eventually([&] { return one() == other(); }); };
      CHECK(equal([&] { return proxy.metric("spillway_request_duration_seconds_count"); },
                  [&] { return proxy.stat("parsed"); }));
      CHECK(equal([&] { return proxy.metric("request_concurrency_count"); },
                  [&] { return proxy.metric("spillway_queue_wait_seconds_count"); }));
      CHECK(equal([&] { return proxy.metric("load_shedding_rejections"); },
                  [&] {
                    return proxy.metric("spillway_requests_total", {{"outcome", "shed"}});
                  }));
      CHECK(proxy.await_metric("spillway_client_connections", 0));
      CHECK(proxy.await_metric("spillway_upstream_connections", 0, {{"state", "active"}}));
      CHECK(eventually([&] {
        const double idle = proxy.metric("spillway_upstream_connections", {{"state", "idle"}});
        return proxy.descriptors() <= descriptors + idle;
      }));
      MESSAGE(proxy.stat("parsed"), " requests: ", proxy.stat("answered_by_api"), " answered by the API, ",
              proxy.stat("answered_by_proxy"), " by the proxy, ", proxy.stat("aborted"), " given up by the client");
      CHECK(Client(proxy).get("/ok").status == 200);
    }
  }
}

}  // namespace
}  // namespace spillway::test
