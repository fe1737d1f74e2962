// What slow, idle and many clients may take: connections, requests and time have limits.

#include <doctest/doctest.h>

#include "tests/integration/api/client.hpp"
#include "tests/integration/api/database.hpp"
#include "tests/integration/api/program.hpp"

namespace api::test {
namespace {

using namespace std::string_literals;

std::string database() {
  return "database: {url: \"" + Database::shared().url() + "\"}\n";
}

TEST_CASE("Slow and idle connections are evicted for new ones") {
  int workers = 1;
  SUBCASE("one worker") {}
  SUBCASE("two workers") {
    workers = 2;
  }
  Program api(database() + "limits: {connections: 100}\nworkers: " + std::to_string(workers) + "\n");
  const auto answered = [&] { return Client(api.port()).request("GET", "/api/v1/openapi.json").status == 200; };
  SUBCASE("idle ones, oldest first") {
    std::vector<Client> idle;
    for (int i = 0; i < 100; ++i) {
      idle.emplace_back(api.port());
      CHECK(idle.back().request("GET", "/health").status == 200);
    }
    for (int i = 0; i < 20; ++i) CHECK(answered());
    if (workers == 1) CHECK(idle.back().request("GET", "/health").status == 200);
  }
  SUBCASE("slow ones, after a second") {
    std::vector<Client> slow;
    // More connections than places, surplus ones included. All connect before the first one sends anything.
    for (int i = 0; i < 200; ++i) slow.emplace_back(api.port());
    for (Client& client : slow) client.send("GET /");
    for (int i = 0; i < 20; ++i) {
      const Reply reply = Client(api.port()).request("GET", "/health");
      CHECK(reply.status == 200);
    }
    CHECK(eventually(answered));
    for (int i = 0; i < 20; ++i) CHECK(Client(api.port()).request("GET", "/health").status == 200);
  }
}

/// What a client gets whose request does not come in time.
void check_timed_out(Client& client) {
  const Reply reply = client.receive();
  CHECK(reply.status == 408);
  CHECK(reply.header("connection") == "close");
  CHECK(reply.json().at("detail") == "The request was not received in time");
  CHECK(client.receive_all().empty());
}

TEST_CASE("A request that does not end is answered 408 and logged, wherever it stops") {
  Program api(database() + "timeouts: {request: 300ms, keep_alive: 1h}\nlog: {access: all}\n");
  const std::string whole = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const std::string& part : {"G"s, "GET /health HTTP/1.1\r"s, "GET /health HTTP/1.1\r\n"s, whole.substr(0, 31),
                                  whole.substr(0, whole.size() - 2), whole.substr(0, whole.size() - 1)}) {
    CAPTURE(part);
    Client first(api.port()), later(api.port()), pipelined(api.port());
    first.send(part);
    CHECK(later.request("GET", "/health").status == 200);
    later.send(part);
    pipelined.send(whole + part);
    CHECK(pipelined.receive().status == 200);
    check_timed_out(first);
    check_timed_out(later);
    check_timed_out(pipelined);
  }
  for (const std::string body :
       {"Content-Length: 100\r\n\r\nusername=a", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5"}) {
    CAPTURE(body);
    Client client(api.port());
    client.send("POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\n" + body);
    check_timed_out(client);
  }
  CHECK(api.await_log(R"("status":408)"));
  CHECK(api.stop() == 0);
}

TEST_CASE("Slow and silent clients time out without harm to others") {
  Program api(database() + "timeouts: {request: 300ms, keep_alive: 500ms}\n");
  Client silent(api.port());
  Client slow(api.port());
  slow.send("GET /health HT");
  Client idle(api.port());
  CHECK(idle.request("GET", "/health").status == 200);
  check_timed_out(slow);
  CHECK(silent.receive_all().empty());
  CHECK(idle.receive_all().empty());
  CHECK(Client(api.port()).request("GET", "/health").status == 200);
}

TEST_CASE("Connections and requests are limited") {
  SUBCASE("connections") {
    Program api(database() + "limits: {connections: 3}\n");
    Client client(api.port());
    client.login();
    std::vector<Client> held;
    {
      TableLock lock;
      for (int i = 0; i < 3; ++i) {
        held.emplace_back(api.port());
        held.back().use_token(client.token());
        held.back().start("GET", "/api/v1/scholarships/1");
      }
      CHECK(eventually(
          [&] { return Client(api.port()).request("GET", "/health").json().at("pool").at("checked_in") == 17; }));
      // The three are being served, so they are not evicted, and others are refused.
      Client extra(api.port());
      const Reply refused = extra.request("GET", "/api/v1/openapi.json");
      CHECK(refused.status == 503);
      CHECK(refused.headers.at("retry-after") == "1");
      CHECK(refused.header("connection") == "close");
      CHECK(extra.receive_all().empty());
      for (int i = 0; i < 10; ++i) CHECK(Client(api.port()).request("GET", "/health").status == 200);
    }
    for (Client& one : held) CHECK(one.receive().status == 200);
    // Now they are idle, and the one that has been idle for longest is evicted.
    for (int i = 0; i < 10; ++i) CHECK(Client(api.port()).request("GET", "/api/v1/openapi.json").status == 200);
  }
  SUBCASE("requests in flight, except those of monitoring") {
    Program api(database() + "limits: {in_flight: 2}\n");
    Client client(api.port());
    client.login();
    {
      TableLock lock;
      std::vector<Client> held;
      for (int i = 0; i < 2; ++i) {
        held.emplace_back(api.port());
        held.back().use_token(client.token());
        held.back().start("GET", "/api/v1/scholarships/1");
      }
      CHECK(eventually([&] { return client.request("GET", "/api/v1/scholarships/1x").status == 503; }));
      CHECK(client.request("GET", "/health").status == 200);
    }
    CHECK(eventually([&] { return client.request("GET", "/api/v1/scholarships/1").status == 200; }));
  }
}

}  // namespace
}  // namespace api::test
