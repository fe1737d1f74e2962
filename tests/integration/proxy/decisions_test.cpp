// The other reasons to refuse, their responses, and the keys that switch refusing on and off.

#include <csignal>
#include <set>

#include "tests/integration/proxy/held.hpp"

namespace spillway::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kNoQueue = ", queue: {max_wait: 0}";

void check_refusal(const Reply& reply, int status, const char* reason, const char* retry_after = "5") {
  CHECK(reply.status == status);
  CHECK(reply.problem("reason") == reason);
  CHECK(reply.field("Retry-After") == retry_after);
  CHECK(reply.field("Cache-Control") == "no-store");
  CHECK(reply.field("Proxy-Status").starts_with("spillway; error="));
}

std::string load(int in_use, int waiters = 0) {
  return "Endpoint-Load-Metrics: TEXT named_metrics.db_pool_size=10,named_metrics.db_pool_overflow=0,"
         "named_metrics.db_pool_capacity=10,named_metrics.db_pool_checkedin=" +
         std::to_string(10 - in_use) + ",named_metrics.db_pool_waiters=" + std::to_string(waiters) + "\r\n";
}

TEST_CASE("while other clients queue, a client above its share of the slots gets 429") {
  for (const bool by_address : {false, true}) {
    CAPTURE(by_address);
    const std::string key = by_address ? "client_ip" : "'header:X-Client'";
    const std::string name = by_address ? "X-Forwarded-For: 192.0.2." : "X-Client: ";
    Upstream upstream(hold);
    Proxy proxy(upstream, {.admission = admit(4) + ", queue: {max_wait: 1m, target: 0}, fairness: {key: " + key + "}",
                           .more = "trusted_proxies: [127.0.0.1]\n"});
    const std::string greedy = name + "1\r\n", other = name + "2\r\n";
    std::list<Client> held = fill(proxy, upstream, 3, "/held", greedy);  // no other client wants these slots
    held.splice(held.end(), fill(proxy, upstream, 1, "/held", other));
    check_refusal(Client(proxy).get("/", greedy), 429, "fairness");
    Client modest(proxy);
    modest.start("GET", "/", other);
    CHECK(proxy.await_metric("spillway_queue_length", 1));
    CHECK(proxy.stat("clients") == 2);
    upstream.release_all();
    check_answered(held);
    CHECK(modest.receive().status == 200);
    CHECK(proxy.await_metric("load_shedding_rejections", 1, {{"reason", "fairness"}, {"class", "normal"}}));
    CHECK(proxy.await_metric("spillway_requests_total", 1, {{"outcome", "shed"}, {"code", "4xx"}}));
    CHECK(proxy.accounts_balance());
    CHECK(proxy.stat("clients") == 0);
  }
}

TEST_CASE("requests without the header count as one client, and other clients keep their share") {
  Upstream upstream(hold);
  Proxy proxy(upstream,
              {.admission = admit(4) + ", queue: {max_wait: 1m, target: 0}, fairness: {key: 'header:X-Client'}"});
  std::list<Client> held = fill(proxy, upstream, 4);
  check_refusal(Client(proxy).get("/"), 429, "fairness");
  Client honest(proxy);
  honest.start("GET", "/", "X-Client: 1\r\n");
  CHECK(proxy.await_metric("spillway_queue_length", 1));
  upstream.release_all();
  check_answered(held);
  CHECK(honest.receive().status == 200);
  CHECK(proxy.accounts_balance());
}

TEST_CASE("with the default classes, health checks pass while all else is shed, and during maintenance") {
  Upstream upstream(hold);
  Proxy proxy(upstream, {.admission = "max_concurrent: 5, queue: {max_wait: 0}"});
  std::list<Client> held = fill(proxy, upstream, 4);
  check_refusal(Client(proxy).get("/"), 503, "capacity");
  const std::string health(Upstream::kPollPath);
  check_refusal(Client(proxy).get((health + ";").c_str()), 503, "capacity");
  CHECK(Client(proxy).get(health.c_str()).status == 204);  // the answer to polls
  upstream.release_all();
  check_answered(held);
  proxy.configure({.more = "maintenance: {enabled: true}\n"});
  proxy.signal(SIGHUP);
  CHECK(proxy.await_metric("spillway_maintenance", 1));
  check_refusal(Client(proxy).get("/"), 503, "maintenance", "60");
  CHECK(Client(proxy).get(health.c_str()).status == 204);  // the answer to polls
}

TEST_CASE("X-Forwarded-For of an untrusted peer does not make it another client") {
  Upstream upstream(hold);
  Proxy proxy(upstream, {.admission = admit(2) + ", fairness: {key: client_ip}"});
  std::list<Client> held = fill(proxy, upstream, 2, "/held", "X-Forwarded-For: 192.0.2.1\r\n");
  check_refusal(Client(proxy).get("/", "X-Forwarded-For: 192.0.2.2\r\n"), 429, "fairness");
  upstream.release_all();
  check_answered(held);
}

TEST_CASE("a request that cannot be answered before its deadline is not forwarded") {
  Upstream upstream(hold);
  Proxy proxy(upstream, {.admission = admit(1) + ", queue: {max_wait: 1m, target: 0}"});
  check_refusal(Client(proxy).get("/late", "X-Request-Timeout: 0\r\n"), 503, "deadline");

  std::list<Client> held = fill(proxy, upstream, 1);
  Client waiting(proxy);
  waiting.start("GET", "/expired", "X-Request-Timeout: 1000\r\n");
  REQUIRE(proxy.await_metric("spillway_queue_length", 1));
  check_refusal(waiting.receive(), 503, "deadline");  // while the slot is in use
  CHECK(proxy.metric("spillway_queue_length") == 0);
  upstream.release_all();
  check_answered(held);
  CHECK(upstream.requests() == 1);
  CHECK(proxy.await_metric("load_shedding_rejections", 2, {{"reason", "deadline"}}));

  // A request whose expected latency exceeds its deadline is refused.
  check_refusal(Client(proxy).get("/slow", "X-Request-Timeout: 1\r\n"), 503, "deadline");
  CHECK(upstream.requests() == 1);
  CHECK(proxy.accounts_balance());
}

TEST_CASE("a class's deadline is that of requests which tell none of their own") {
  Upstream upstream(hold);
  Proxy proxy(upstream, {.admission = admit(1) + ", queue: {max_wait: 1m, target: 0}",
                         .more = "classes:\n  - {name: quick, deadline: 1s, match: [{path: /quick}]}\n"});
  std::list<Client> held = fill(proxy, upstream, 1, "/quick");
  const int left = std::stoi(field_of(upstream.seen()[0].head, "X-Request-Timeout"));
  CHECK(left > 0);
  CHECK(left <= 1000);
  Client patient(proxy), other(proxy), quick(proxy);
  patient.start("GET", "/quick", "X-Request-Timeout: 60000\r\n");
  other.start("GET", "/");
  quick.start("GET", "/quick");
  check_refusal(quick.receive(), 503, "deadline");
  CHECK(proxy.metric("spillway_queue_length") == 2);
  upstream.release_all();
  check_answered(held);
  CHECK(patient.receive().status == 200);
  CHECK(other.receive().status == 200);
  CHECK(proxy.accounts_balance());
}

TEST_CASE("the API is told how much time is left of the deadline") {
  Upstream upstream;
  Proxy proxy(upstream);
  CHECK(Client(proxy).get("/", "X-Request-Timeout: 60000\r\n").status == 200);
  CHECK(Client(proxy).get("/", "X-Request-Timeout: soon\r\n").status == 200);
  CHECK(Client(proxy).get("/").status == 200);
  const auto seen = upstream.seen();
  const int left = std::stoi(field_of(seen[0].head, "X-Request-Timeout"));
  CHECK(left > 0);
  CHECK(left <= 60'000);
  CHECK(field_of(seen[1].head, "X-Request-Timeout") == "soon");
  CHECK(count_fields(seen[2].head, "X-Request-Timeout") == 0);
}

TEST_CASE("a full database pool refuses by class until its report is stale") {
  Upstream upstream([](Turn& turn) { turn.answer("ok", load(turn.request() == "GET /full" ? 10 : 9)); });
  Proxy proxy(upstream, {.more = kCritical});
  CHECK(Client(proxy).get("/").status == 200);
  check_refusal(Client(proxy).get("/"), 503, "pool");
  CHECK(proxy.stat("pool_capacity_pct") == 90);
  CHECK(Client(proxy).get("/critical/").status == 200);
  CHECK(proxy.await_metric("load_shedding_rejections", 1, {{"reason", "pool"}, {"class", "normal"}}));
  CHECK(eventually([&] { return Client(proxy).get("/").status == 200; }));
  CHECK(proxy.accounts_balance());

  proxy.configure({.admission = "pool_aware: false", .more = kCritical});
  proxy.signal(SIGHUP);
  CHECK(eventually([&] { return Client(proxy).get("/").status == 200 && Client(proxy).get("/").status == 200; }));
}

TEST_CASE("mode shadow refuses nothing and counts what it would refuse; mode off does not count either") {
  for (const bool shadow : {true, false}) {
    CAPTURE(shadow);
    Upstream upstream(hold);
    Proxy proxy(upstream, {.admission = admit(1) + kNoQueue + (shadow ? ", mode: shadow" : ", mode: off")});
    std::list<Client> held = fill(proxy, upstream, 3);
    CHECK(proxy.page("/stats").second.find(shadow ? R"("mode":"shadow")" : R"("mode":"off")") != std::string::npos);
    upstream.release_all();
    check_answered(held);
    CHECK(proxy.accounts_balance());
    CHECK(proxy.await_metric("spillway_shadow_rejections_total", shadow ? 2 : 0, {{"reason", "capacity"}}));
    CHECK(proxy.await_metric("load_shedding_rejections", 0));
    if (shadow) CHECK(proxy.await_log("would refuse reason=capacity class=normal in_flight=2 limit=1"));
  }
}

TEST_CASE("modes shadow and off apply neither upstream.max_connections nor X-Request-Timeout") {
  for (const bool shadow : {true, false}) {
    CAPTURE(shadow);
    Upstream upstream(hold);
    Proxy proxy(upstream, {.upstream = "max_connections: 4, max_idle: 4",
                           .admission = admit(4) + (shadow ? ", mode: shadow" : ", mode: off")});
    std::list<Client> held = fill(proxy, upstream, 6);
    held.splice(held.end(), fill(proxy, upstream, 1, "/held", "X-Request-Timeout: 0\r\n"));
    upstream.release_all();
    check_answered(held);
    CHECK(proxy.accounts_balance());
    CHECK(proxy.await_metric("spillway_shadow_rejections_total", shadow ? 3 : 0));
    CHECK(proxy.await_metric("load_shedding_rejections", 0));
  }
}

TEST_CASE("a refused connection is counted, logged and shown like a refused request") {
  Upstream upstream(hold);
  Proxy proxy(upstream, {.limits = "connections: 2"});
  std::list<Client> held = fill(proxy, upstream, 2);
  Client refused(proxy);
  const Reply reply = refused.receive();
  check_refusal(reply, 503, "connections");
  CHECK(proxy.await_metric("load_shedding_rejections", 1, {{"reason", "connections"}}));
  CHECK(proxy.page("/stats/latest").second.find(R"("reason":"connections")") != std::string::npos);
  CHECK(proxy.await_log(R"("reason":"connections")"));
  upstream.release_all();
  check_answered(held);
  CHECK(proxy.accounts_balance());
}

TEST_CASE("with a range in retry_after each refusal gets a value of its own") {
  Upstream upstream(hold);
  Proxy proxy(upstream, {.admission = admit(1) + kNoQueue + ", retry_after: 4s..8s"});
  std::list<Client> held = fill(proxy, upstream, 1);
  Client client(proxy);
  std::set<int> told;
  for (int i = 0; i < 100; ++i) told.insert(std::stoi(client.get("/").field("Retry-After")));
  CHECK(*told.begin() >= 4);
  CHECK(*told.rbegin() <= 8);
  CHECK(told.size() > 1);
  upstream.release_all();
  check_answered(held);
}

TEST_CASE("a reload changes mode and maintenance without closing connections") {
  const std::string admission = admit(1) + kNoQueue;
  Upstream upstream([](Turn& turn) {
    if (turn.request() == "GET /held") turn.hold();
    turn.answer();
  });
  Proxy proxy(upstream, {.admission = admission + ", mode: off", .more = kCritical});
  std::list<Client> held = fill(proxy, upstream, 2);
  Client client(proxy);
  const auto reload = [&](const Settings& settings) {
    proxy.configure(settings);
    proxy.signal(SIGHUP);
  };
  const auto becomes = [&](const char* reason) {
    return eventually([&] { return client.get("/").problem("reason") == reason; });
  };
  CHECK(client.get("/").status == 200);
  reload({.admission = admission, .more = kCritical});
  CHECK(becomes("capacity"));

  reload({.admission = admission, .more = std::string(kCritical) + "maintenance: {enabled: true}\n"});
  CHECK(becomes("maintenance"));
  const Reply refused = client.get("/");
  check_refusal(refused, 503, "maintenance", "60");
  CHECK(refused.problem("detail") == "Down for maintenance, please retry");
  CHECK(proxy.await_metric("spillway_maintenance", 1));
  upstream.release_all();
  check_answered(held);
  CHECK(client.get("/critical/").status == 200);

  reload({.admission = admission + ", mode: shadow", .more = kCritical});
  CHECK(eventually([&] { return client.get("/").status == 200; }));
  CHECK(proxy.await_metric("spillway_maintenance", 0));
  CHECK(proxy.accounts_balance());
}

TEST_CASE("with retry_after: auto, Retry-After is whole seconds from 1 to 32") {
  Upstream upstream(hold);
  Proxy proxy(upstream, {.admission = admit(1) + kNoQueue + ", retry_after: auto"});
  std::list<Client> held = fill(proxy, upstream, 1);
  Client client(proxy);
  for (int i = 0; i < 100; ++i) {
    const std::string told = client.get("/").field("Retry-After");
    CHECK(std::to_string(std::stoi(told)) == told);
    CHECK(std::stoi(told) >= 1);
    CHECK(std::stoi(told) <= 32);
  }
  upstream.release_all();
  check_answered(held);
}

TEST_CASE("the log and /stats explain a refusal") {
  Upstream upstream(hold);
  Proxy proxy(upstream, {.admission = admit(2) + kNoQueue});
  std::list<Client> held = fill(proxy, upstream, 2);
  check_refusal(Client(proxy).get("/"), 503, "capacity");
  CHECK(proxy.await_log("refused reason=capacity class=normal in_flight=2 limit=2 class_in_flight=2 class_share=2"));
  const std::string stats = proxy.page("/stats").second;
  for (const char* part : {R"("mode":"enforce")", R"("breaker_state":"closed")", R"("share":2)"}) {
    CAPTURE(part);
    CHECK(stats.find(part) != std::string::npos);
  }
  upstream.release_all();
  check_answered(held);
}

TEST_CASE("the adaptive limit starts low, and a reload keeps what it has learned") {
  Upstream upstream;
  const Settings adaptive{.admission = "adaptive: {enabled: true, min: 7}"};
  Proxy proxy(upstream, adaptive);
  CHECK(proxy.await_metric("spillway_concurrency_limit", 20));
  CHECK(proxy.await_metric("spillway_capacity", 100));
  proxy.configure({.admission = "adaptive: {enabled: true, min: 30}"});
  proxy.signal(SIGHUP);
  CHECK(proxy.await_metric("spillway_concurrency_limit", 30));
  proxy.configure(adaptive);
  proxy.signal(SIGHUP);
  CHECK(proxy.await_log("configuration reloaded"));
  CHECK(proxy.await_metric("spillway_concurrency_limit", 30));
}

TEST_CASE("the time that a client takes to send its body does not count as latency of the API") {
  using namespace std::chrono_literals;
  constexpr auto kUploadTakes = 1200ms;
  constexpr int kUploads = 4;
  const std::string head = "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n";
  Upstream upstream;
  Proxy proxy(upstream);
  std::list<Client> uploads;
  for (int i = 0; i < kUploads; ++i) uploads.emplace_back(proxy).send(head + pattern(90'000));
  REQUIRE(eventually([&] { return upstream.inside() == kUploads; }));
  const auto began = std::chrono::steady_clock::now();
  REQUIRE(eventually([&] { return std::chrono::steady_clock::now() - began > kUploadTakes; }));
  for (Client& upload : uploads) upload.send(pattern(10'000));
  check_answered(uploads);
  for (int i = 0; i < 20; ++i) CHECK(Client(proxy).get("/", "X-Request-Timeout: 1000\r\n").status == 200);
  CHECK(proxy.metric("spillway_upstream_duration_seconds_sum") < 1.2 * kUploads);
  CHECK(proxy.accounts_balance());
}

}  // namespace
}  // namespace spillway::test
