// What the API tells the proxy about a request, and what it learns from the proxy, through both programs.

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/integration/api/client.hpp"
#include "tests/integration/api/database.hpp"
#include "tests/integration/api/program.hpp"
#include "tests/integration/proxy/proxy.hpp"

namespace spillway::test {
namespace {

using api::test::Database;
using api::test::Program;
using api::test::Reply;
using ApiClient = api::test::Client;

std::string api_config(const std::string& pool) {
  return "database: {url: \"" + Database::shared().url() + "\", " + pool + "}\n";
}

std::string proxy_config(const Program& api, const std::string& admission, const std::string& classes) {
  return "listen: 127.0.0.1:0\nadmin: {listen: \"127.0.0.1:0\"}\nupstream: {address: \"127.0.0.1:" +
         std::to_string(api.port()) + "\", health: {interval: 100ms, timeout: 100ms}}\nadmission: {" + admission +
         "}\nclasses: [" + classes + "]\n";
}

/// A look-up that waits for the locked table, and so holds a slot and a connection to the database.
ApiClient held_look_up(const Proxy& proxy, const std::string& token) {
  ApiClient client(proxy.port());
  client.use_token(token);
  client.start("GET", "/api/v1/scholarships/1");
  return client;
}

TEST_CASE("while the database pool is full, requests that do not need it all succeed, and the others are shed") {
  const Program api(api_config("pool_size: 1, max_overflow: 0"));
  api.await_ready();
  const Proxy proxy(proxy_config(api, "max_concurrent: 50",
                                 "{name: document, match: [{path: /api/v1/openapi.json}]}, "
                                 "{name: login, shed_at: 1.0, match: [{path_prefix: /api/v1/auth/}]}"));
  REQUIRE(proxy.await_metric("spillway_upstream_healthy", 1));
  ApiClient user(proxy.port());
  user.login();
  // The proxy learns what needs no database: it takes 95 answers in a row.
  for (int i = 0; i < 100; ++i) REQUIRE(user.request("GET", "/api/v1/openapi.json").status == 200);

  const api::test::TableLock lock;
  const ApiClient holder = held_look_up(proxy, user.token());
  REQUIRE(proxy.await_metric("database_pool_checkedin", 0));
  for (int i = 0; i < 50; ++i) {
    const Reply shed = user.request("GET", "/api/v1/scholarships/2");
    CHECK(shed.status == 503);
    CHECK(shed.json().at("reason") == "pool");
    CHECK(user.request("GET", "/api/v1/openapi.json").status == 200);
  }
}

TEST_CASE("under pressure the API gives cheaper answers through the proxy, and whole ones afterwards") {
  const Program api(api_config("pool_size: 10"));
  api.await_ready();
  const Proxy proxy(proxy_config(api, "max_concurrent: 5, shed_at: 1.0", ""));
  REQUIRE(proxy.await_metric("spillway_upstream_healthy", 1));
  ApiClient user(proxy.port());
  user.login();
  const std::string whole = user.request("GET", "/api/v1/search?q=nursing").body;
  REQUIRE(whole.find("\"total\":") != std::string::npos);

  ApiClient searching(proxy.port());
  searching.use_token(user.token());
  std::vector<ApiClient> held;
  {
    const api::test::TableLock lock;
    for (int i = 0; i < 3; ++i) held.push_back(held_look_up(proxy, user.token()));
    REQUIRE(proxy.await_metric("spillway_inflight", 3));
    // The fourth of five: 0.80. The API is told so with the request, and answers when the table is free.
    searching.start("GET", "/api/v1/search?q=nursing");
    REQUIRE(proxy.await_metric("spillway_inflight", 4));
  }
  const Reply cheap = searching.receive();
  CHECK(cheap.status == 200);
  CHECK(cheap.json().at("degraded") == true);
  CHECK(cheap.json().at("items").as_array().size() == 10);
  CHECK_FALSE(cheap.json().as_object().contains("total"));
  for (ApiClient& client : held) CHECK(client.receive().status == 200);

  REQUIRE(proxy.await_metric("spillway_inflight", 0));
  CHECK(user.request("GET", "/api/v1/search?q=nursing").body == whole);
}

}  // namespace
}  // namespace spillway::test
