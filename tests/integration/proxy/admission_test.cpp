// How many requests are forwarded at a time, and what happens to the others.

#include "tests/integration/proxy/held.hpp"

namespace spillway::test {
namespace {

constexpr const char* kClasses =
    "classes:\n"
    "  - {name: critical, shed_at: 1.0, match: [{path_prefix: /critical/}]}\n"
    "  - {name: background, shed_at: 0.6, match: [{header: X-Priority, value: background}]}\n";

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

TEST_CASE("exactly 80 of 100 slots are for normal requests: the 81st waits, then gets 503 with Retry-After") {
  for (const int workers : {1, 2}) {
    for (const Upstream::Kind kind : {Upstream::Kind::tcp, Upstream::Kind::unix_socket}) {
      CAPTURE(workers);
      CAPTURE(kind == Upstream::Kind::tcp);
      Upstream upstream(hold, kind);
      Proxy proxy(upstream, {.workers = workers, .admission = "queue: {max_wait: 300ms}"});
      std::list<Client> held = fill(proxy, upstream, 80);
      CHECK(proxy.await_metric("spillway_inflight", 80));
      CHECK(proxy.await_metric("spillway_queue_length", 0));

      Client one_more(proxy);
      const auto began = std::chrono::steady_clock::now();
      one_more.start("GET", "/one-more");
      const Reply reply = one_more.receive();
      CHECK(std::chrono::steady_clock::now() - began >= std::chrono::milliseconds(300));
      check_refusal(reply, "queue_timeout");
      CHECK_FALSE(reply.has("Connection"));
      CHECK(upstream.inside() == 80);
      CHECK(upstream.requests() == 80);
      CHECK(proxy.await_metric("load_shedding_rejections", 1, {{"reason", "queue_timeout"}, {"class", "normal"}}));

      upstream.release_all();
      check_answered(held);
      CHECK(one_more.get("/again").status == 200);
      CHECK(upstream.most_inside() == 80);
      CHECK(proxy.accounts_balance());
      CHECK(
          proxy.await_metric("spillway_requests_total", 81, {{"class", "normal"}, {"outcome", "ok"}, {"code", "2xx"}}));
      CHECK(proxy.await_metric("spillway_requests_total", 1, {{"outcome", "shed"}, {"code", "5xx"}}));
    }
  }
}

TEST_CASE("with queueing off a request is refused at once") {
  Upstream upstream(hold);
  Proxy proxy(upstream, {.admission = admit(2) + ", queue: {max_wait: 0}"});
  std::list<Client> held = fill(proxy, upstream, 2);
  check_refusal(Client(proxy).get("/"), "capacity");
  upstream.release_all();
  check_answered(held);
  CHECK(proxy.accounts_balance());
  CHECK(upstream.requests() == 2);
}

TEST_CASE("a full queue refuses at once") {
  Upstream upstream(hold);
  Proxy proxy(upstream, {.admission = admit(1) + ", queue: {max_length: 2, max_wait: 1m, target: 0}"});
  std::list<Client> held = fill(proxy, upstream, 1);
  Client first(proxy), second(proxy);
  first.start("GET", "/first");
  second.start("GET", "/second");
  REQUIRE(proxy.await_metric("spillway_queue_length", 2));
  check_refusal(Client(proxy).get("/third"), "queue_full");
  upstream.release_all();
  check_answered(held);
  CHECK(first.receive().status == 200);
  CHECK(second.receive().status == 200);
  CHECK(proxy.accounts_balance());
}

TEST_CASE("as slots fill up, background requests are refused first, then normal ones, critical ones last") {
  for (const int workers : {1, 2}) {
    CAPTURE(workers);
    Upstream upstream(hold);
    Proxy proxy(upstream, {.workers = workers, .admission = "queue: {max_wait: 0}", .more = kClasses});
    std::list<Client> held = fill(proxy, upstream, 60);
    check_refusal(Client(proxy).get("/", "X-Priority: background\r\n"), "capacity");
    held.splice(held.end(), fill(proxy, upstream, 20));
    check_refusal(Client(proxy).get("/"), "capacity");
    held.splice(held.end(), fill(proxy, upstream, 20, "/critical/login"));
    CHECK(upstream.inside() == 100);
    check_refusal(Client(proxy).get("/critical/login"), "capacity");

    upstream.release_all();
    check_answered(held);
    CHECK(upstream.most_inside() == 100);
    CHECK(proxy.accounts_balance());
    for (const char* name : {"critical", "normal", "background"}) {
      CHECK(proxy.await_metric("load_shedding_rejections", 1, {{"class", name}}));
    }
    CHECK(proxy.await_metric("spillway_requests_total", 20, {{"class", "critical"}, {"outcome", "ok"}}));
  }
}

TEST_CASE("queued requests are admitted one at a time in the order of their arrival") {
  Upstream upstream(hold);
  Proxy proxy(upstream, {.admission = admit(1) + ", queue: {max_wait: 1m, target: 0}"});
  std::list<Client> held = fill(proxy, upstream, 1);
  std::list<Client> waiting;
  for (int i = 1; i <= 4; ++i) {
    waiting.emplace_back(proxy).start("GET", "/" + std::to_string(i));
    REQUIRE(proxy.await_metric("spillway_queue_length", i));
  }
  for (int i = 1; i <= 4; ++i) {
    upstream.release();
    REQUIRE(eventually([&] { return upstream.requests() == 1 + i; }));
    CHECK(upstream.seen().back().head.starts_with("GET /" + std::to_string(i) + " "));
    CHECK(proxy.await_metric("spillway_queue_length", 4 - i));
    CHECK(proxy.await_metric("spillway_inflight", 1));
  }
  upstream.release_all();
  check_answered(held);
  check_answered(waiting);
  CHECK(upstream.most_inside() == 1);
  CHECK(proxy.await_metric("spillway_queue_wait_seconds_count", 5));
}

TEST_CASE("a client that leaves while queued gives up its place, and its request never reaches the API") {
  Upstream upstream(hold);
  Proxy proxy(upstream, {.admission = admit(1) + ", queue: {max_wait: 1m, target: 0}"});
  std::list<Client> held = fill(proxy, upstream, 1);
  Client patient(proxy), impatient(proxy);
  impatient.start("GET", "/impatient");
  REQUIRE(proxy.await_metric("spillway_queue_length", 1));
  patient.start("GET", "/patient");
  REQUIRE(proxy.await_metric("spillway_queue_length", 2));
  impatient.close();
  CHECK(proxy.await_metric("spillway_queue_length", 1));
  upstream.release_all();
  check_answered(held);
  CHECK(patient.receive().status == 200);
  CHECK(upstream.requests() == 2);
  CHECK(proxy.accounts_balance());
  CHECK(proxy.stat("aborted") == 1);
}

TEST_CASE("a client that leaves in flight keeps its slot until the API has answered") {
  Upstream upstream(hold);
  Proxy proxy(upstream, {.admission = admit(1) + ", queue: {max_wait: 0}"});
  fill(proxy, upstream, 1).clear();
  CHECK(proxy.await_metric("spillway_client_connections", 1));  // the connection stays until its request ends
  check_refusal(Client(proxy).get("/"), "capacity");
  CHECK(proxy.await_metric("spillway_inflight", 1));
  upstream.release_all();
  CHECK(proxy.await_metric("spillway_inflight", 0));
  CHECK(Client(proxy).get("/").status == 200);
  CHECK(proxy.accounts_balance());
}

TEST_CASE("with cancelling on, a client that leaves frees its slot at once and the API's connection closes") {
  std::atomic<bool> left = false;
  Upstream upstream([&](Turn& turn) {
    if (turn.request() == "GET /held") {
      left = turn.left();
    } else {
      turn.answer();
    }
  });
  Proxy proxy(upstream, {.upstream = "when_client_leaves: cancel", .admission = admit(1) + ", queue: {max_wait: 0}"});
  fill(proxy, upstream, 1).clear();
  CHECK(proxy.await_metric("spillway_inflight", 0));
  CHECK(eventually([&] { return left.load(); }));
  CHECK(Client(proxy).get("/").status == 200);
  CHECK(proxy.accounts_balance());
  CHECK(proxy.stat("aborted") == 1);
}

TEST_CASE("a queued client that leaves amid its body, or with a pipelined request, gives up its place, too") {
  for (const std::string more : {"Content-Length: 10\r\n\r\n01234", "\r\nGET /next HTTP/1.1\r\nHost: test\r\n\r\n"}) {
    CAPTURE(more);
    Upstream upstream(hold);
    Proxy proxy(upstream, {.admission = admit(1) + ", queue: {max_wait: 1m, target: 0}"});
    std::list<Client> held = fill(proxy, upstream, 1);
    Client impatient(proxy);
    impatient.send("POST /impatient HTTP/1.1\r\nHost: test\r\n" + more.substr(0, more.size() - 5));
    REQUIRE(proxy.await_metric("spillway_queue_length", 1));
    impatient.send(more.substr(more.size() - 5));
    impatient.close();
    CHECK(proxy.await_metric("spillway_queue_length", 0));
    upstream.release_all();
    check_answered(held);
    CHECK(proxy.accounts_balance());
    CHECK(proxy.stat("aborted") == 1);
    CHECK(upstream.requests() == 1);
  }
}

}  // namespace
}  // namespace spillway::test
