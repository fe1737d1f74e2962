// The circuit breaker opens when the API fails or is gone, and closes when it works again.

#include <csignal>
#include <thread>

#include "tests/integration/proxy/held.hpp"

namespace spillway::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kOpenLong = "breaker: {open_for: 1m, ramp: 10s}\n";

TEST_CASE("after one 502 of a dead API all requests are refused at once; a successful poll closes the breaker") {
  for (const Upstream::Kind kind : {Upstream::Kind::tcp, Upstream::Kind::unix_socket}) {
    CAPTURE(kind == Upstream::Kind::tcp);
    Upstream upstream([](Turn& turn) { turn.answer(); }, kind);
    Proxy proxy(upstream, {.more = kOpenLong});
    Client client(proxy);
    CHECK(client.get("/").status == 200);
    upstream.down();
    const auto began = std::chrono::steady_clock::now();
    int bad_gateways = 0;
    Reply reply;
    CHECK(eventually([&] {
      reply = client.get("/");
      bad_gateways += reply.status == 502;
      return reply.status == 503;
    }));
    CHECK(bad_gateways <= 1);
    CHECK(reply.problem("reason") == "breaker");
    const int retry_after = std::stoi(reply.field("Retry-After"));
    CHECK(retry_after >= 1);
    CHECK(retry_after <= 60);
    CHECK(proxy.metric("spillway_breaker_state") == 2);
    CHECK(proxy.page("/stats").second.find(R"("breaker_state":"open")") != std::string::npos);

    std::this_thread::sleep_until(began + 2s);  // the ramp-up takes longer after a longer open time
    upstream.up();
    CHECK(eventually([&] { return client.get("/").status == 200; }));
    double lowest = 100;
    CHECK(eventually([&] {
      CHECK(client.get("/").status == 200);
      if (proxy.metric("spillway_breaker_state") != 0) return false;
      const double limit = proxy.metric("spillway_concurrency_limit");
      lowest = std::min(lowest, limit);
      return limit == 100;
    }));
    CHECK(lowest < 100);
    CHECK(proxy.accounts_balance());
  }
}

TEST_CASE("errors of the API open the breaker; the proxy's refusals and invalid requests do not") {
  std::atomic<bool> failing = false;
  Upstream upstream([&](Turn& turn) {
    if (turn.request() == "GET /held") turn.hold();
    turn.answer("", {}, failing ? "500 Internal Server Error" : "404 Not Found");
  });
  Proxy proxy(upstream, {.admission = admit(1) + ", queue: {max_wait: 0}",
                         .more = "breaker: {window: 1m, min_requests: 10, open_for: 200ms, trial_requests: 2}\n"});
  Client client(proxy);
  std::list<Client> held = fill(proxy, upstream, 1);
  for (int i = 0; i < 30; ++i) CHECK(client.get("/").problem("reason") == "capacity");
  upstream.release_all();
  CHECK(held.front().receive().status == 404);
  for (int i = 0; i < 30; ++i) CHECK(client.get("/").status == 404);
  CHECK(proxy.metric("spillway_breaker_state") == 0);

  failing = true;
  int errors = 0;
  CHECK(eventually([&] {
    const Reply reply = client.get("/");
    errors += reply.status == 500;
    return reply.problem("reason") == "breaker";
  }));
  CHECK(errors >= 30);  // half of the window
  failing = false;
  CHECK(eventually([&] { return client.get("/").status == 404 && proxy.metric("spillway_breaker_state") == 0; }));
  CHECK(proxy.accounts_balance());
}

constexpr const char* kLogins = "classes:\n  - {name: critical, shed_at: 1.0, match: [{path_prefix: /login}]}\n";

TEST_CASE("logins that the API refuses open no breaker, and fewer are forwarded only if it sheds them for load") {
  for (const bool load : {true, false}) {
    const char* status = load ? "503 Service Unavailable" : "429 Too Many Requests";
    CAPTURE(status);
    std::atomic<int> logins = 0;
    Upstream upstream([&](Turn& turn) {
      if (turn.request() != "POST /login") return turn.answer();
      logins++ % 10 == 0 ? turn.answer() : turn.answer("", "Retry-After: 2\r\n", status);
    });
    Proxy proxy(upstream, {.more = kLogins});
    Client users(proxy), storm(proxy);
    constexpr int kEach = 300;
    for (int i = 0; i < kEach; ++i) {
      const Reply reply = storm.request("POST", "/login", "", "user=a");
      if (reply.has("Proxy-Status")) CHECK(reply.problem("reason") == "capacity");
      CHECK(users.get("/scholarships").status == 200);
    }
    CHECK(proxy.metric("spillway_breaker_state") == 0);
    CHECK(proxy.metric("load_shedding_rejections", {{"class", "normal"}}) == 0);
    const double refused = proxy.metric("load_shedding_rejections", {{"reason", "capacity"}, {"class", "critical"}});
    CHECK((refused > 0) == load);
    CHECK(logins == kEach - refused);
    CHECK((proxy.page("/stats").second.find(R"("api_sheds":true)") != std::string::npos) == load);
    CHECK(proxy.accounts_balance());
  }
}

// By then other bytes stand where the head stood.
TEST_CASE("an API that sheds is known by its head, also if the body comes later") {
  const std::string body = pattern(2000);
  Upstream upstream([&](Turn& turn) {
    turn.send("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 2000\r\n\r\n");
    turn.hold();
    turn.send(body);
  });
  Proxy proxy(upstream, {.health = "mode: off", .more = kOpenLong});
  Client client(proxy);
  for (int i = 0; i < 40; ++i) {
    client.start("GET", "/");
    const Reply reply = client.receive(true);
    CHECK(reply.status == 503);
    if (!reply.has("Proxy-Status")) upstream.release();
    CHECK(client.wire().skip(std::stoul(reply.field("Content-Length"))));
  }
  CHECK(proxy.metric("spillway_breaker_state") == 0);
  CHECK(proxy.page("/stats").second.find(R"("api_sheds":true)") != std::string::npos);
  CHECK(proxy.accounts_balance());
}

TEST_CASE("failures of one class open the breaker of that class; the log names the class and the numbers") {
  Upstream upstream(
      [](Turn& turn) { turn.answer("", {}, turn.request() == "GET /login" ? "500 Internal Server Error" : "200 OK"); });
  Proxy proxy(upstream, {.health = "interval: 0", .more = std::string(kLogins) + kOpenLong});
  Client client(proxy);
  for (int i = 0; i < 20; ++i) CHECK(client.get("/login").status == 500);
  const Reply refused = client.get("/login");
  CHECK(refused.problem("reason") == "breaker");
  CHECK(std::stoi(refused.field("Retry-After")) >= 50);  // without polls the first trial comes after open_time
  for (int i = 0; i < 50; ++i) CHECK(client.get("/").status == 200);
  CHECK(proxy.metric("spillway_breaker_state") == 2);
  CHECK(proxy.await_log("breaker class=critical state=open cause=failures requests=20 failed=20 slow=0"));
  CHECK(proxy.accounts_balance());
}

/// Answers polls of `/p`, and counts them.
struct Polled {
  void operator()(Turn& turn) const {
    if (turn.request() == "GET /p") ++*polls;
    turn.answer();
  }
  std::shared_ptr<std::atomic<int>> polls = std::make_shared<std::atomic<int>>(0);
};

TEST_CASE("an API that returns is found at once, however seldom it is polled, and then polled as seldom as before") {
  for (const Upstream::Kind kind : {Upstream::Kind::tcp, Upstream::Kind::unix_socket}) {
    CAPTURE(kind == Upstream::Kind::tcp);
    const Polled script;
    Upstream upstream(script, kind);
    Proxy proxy(upstream,
                {.health = "path: /p, interval: 1h, timeout: 1m", .more = "breaker: {open_for: 1h, max_open: 1h}\n"});
    REQUIRE(proxy.await_metric("spillway_upstream_healthy", 1));
    Client client(proxy);
    for (int restarts = 1; restarts <= 3; ++restarts) {
      CHECK(client.get("/").status == 200);
      upstream.down();
      int bad_gateways = 0;
      CHECK(eventually([&] {
        const Reply reply = client.get("/");
        bad_gateways += reply.status == 502;
        return reply.problem("reason") == "breaker";
      }));
      CHECK(bad_gateways <= 1);
      upstream.up();
      CHECK(eventually([&] { return client.get("/").status == 200 && proxy.metric("spillway_breaker_state") == 0; }));
      CHECK(*script.polls == 1 + restarts);
    }
    // Polls that were not due do not count as failed ones.
    CHECK(proxy.log().find("the API is unreachable") == std::string::npos);
    CHECK(proxy.metric("spillway_upstream_healthy") == 1);
    CHECK(proxy.accounts_balance());
  }
}

TEST_CASE("while health polls succeed, Retry-After of an open breaker is the time of the next poll") {
  Upstream upstream([](Turn& turn) { turn.answer("", {}, "500 Internal Server Error"); });
  Proxy proxy(upstream, {.more = "breaker: {min_requests: 1, open_for: 1m}\n"});
  REQUIRE(proxy.await_metric("spillway_upstream_healthy", 1));
  Client client(proxy);
  Reply reply;
  for (int refusals = 0; refusals < 20;) {
    reply = client.get("/");
    if (reply.status != 503) continue;
    ++refusals;
    CHECK(reply.problem("reason") == "breaker");
    CHECK(std::stoi(reply.field("Retry-After")) <= 6);  // a busy machine may have missed a poll
  }
}

TEST_CASE("a trial that hangs counts as a failure, and other trials follow") {
  std::atomic<bool> failing = true;
  Upstream upstream([&](Turn& turn) {
    if (turn.request() == "GET /held") turn.hold();
    turn.answer("", {}, failing ? "500 Internal Server Error" : "200 OK");
  });
  Proxy proxy(upstream, {.more = "breaker: {min_requests: 1, open_for: 100ms, slow_call: 500ms, trial_requests: 2}\n"});
  Client client(proxy);
  CHECK(client.get("/").status == 500);
  failing = false;
  std::list<Client> held;
  CHECK(eventually([&] {
    held.emplace_back(proxy).start("GET", "/held");
    return upstream.inside() == 2;
  }));
  CHECK(eventually([&] { return client.get("/").status == 200; }));
  CHECK(eventually([&] { return client.get("/").status == 200 && proxy.metric("spillway_breaker_state") == 0; }));
  CHECK(proxy.await_log("state=open cause=trial_late"));
  upstream.release_all();
}

TEST_CASE("long polls do not open the breaker") {
  Upstream upstream(hold);
  Proxy proxy(upstream, {.more = "breaker: {window: 1s, min_requests: 5, slow_call: 10ms}\n"});
  for (int round = 0; round < 3; ++round) {
    std::list<Client> polls = fill(proxy, upstream, 24);
    std::this_thread::sleep_for(100ms);  // ten times as long as slow
    upstream.release(24);
    check_answered(polls);
    CHECK(proxy.metric("spillway_breaker_state") == 0);
  }
}

TEST_CASE("a disabled breaker refuses no request") {
  Upstream upstream([](Turn& turn) { turn.answer("", {}, "500 Internal Server Error"); });
  Proxy proxy(upstream, {.more = "breaker: {enabled: false, min_requests: 1}\n"});
  Client client(proxy);
  for (int i = 0; i < 50; ++i) CHECK(client.get("/").status == 500);
  upstream.down();
  for (int i = 0; i < 10; ++i) CHECK(client.get("/").status == 502);
}

TEST_CASE("an open breaker stays open through a reload, and closes when it is disabled") {
  Upstream upstream([](Turn& turn) { turn.answer("", {}, "500 Internal Server Error"); });
  const std::string on = "breaker: {min_requests: 1, open_for: 1m}\n";
  Proxy proxy(upstream, {.upstream = "", .more = on});
  Client client(proxy);
  CHECK(client.get("/").status == 500);
  proxy.configure({.admission = "max_concurrent: 99", .more = on});
  proxy.signal(SIGHUP);
  CHECK(proxy.await_metric("spillway_capacity", 99));
  CHECK(proxy.metric("spillway_breaker_state") != 0);
  proxy.configure({.more = "breaker: {enabled: false}\n"});
  proxy.signal(SIGHUP);
  CHECK(proxy.await_metric("spillway_breaker_state", 0));
  CHECK(client.get("/").status == 500);
}

TEST_CASE("with retry.attempts: 0 no request is sent twice") {
  for (const int attempts : {0, 1}) {
    CAPTURE(attempts);
    Upstream upstream([](Turn& turn) { turn.number() == 0 ? turn.answer() : turn.close(); });
    Proxy proxy(upstream, {.more = "retry: {attempts: " + std::to_string(attempts) + "}\n"});
    Client client(proxy);
    CHECK(client.get("/").status == 200);
    CHECK(client.get("/").status == (attempts == 0 ? 502 : 200));
    CHECK(proxy.await_metric("spillway_upstream_retries_total", attempts));
    CHECK(proxy.accounts_balance());
  }
}

}  // namespace
}  // namespace spillway::test
