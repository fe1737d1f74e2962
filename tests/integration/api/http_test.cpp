// Validators, methods, request ids and the access log.

#include <doctest/doctest.h>

#include "tests/integration/api/client.hpp"
#include "tests/integration/api/database.hpp"
#include "tests/integration/api/program.hpp"

namespace api::test {
namespace {

std::string database() {
  return "database: {url: \"" + Database::shared().url() + "\"}\n";
}

TEST_CASE("A client that has a list, an item or a search already gets 304 until it changes") {
  Session session;
  session.run("DELETE FROM scholarships WHERE id = 800001");
  session.run(
      "INSERT INTO scholarships (id, name, provider, description, amount, deadline) VALUES"
      " (800001, 'Kept', 'P', 'Kryptonite', 100, '2100-01-01')");
  Program api(database());
  Client client(api.port());
  client.login();
  for (const char* target :
       {"/api/v1/scholarships/800001", "/api/v1/scholarships?cursor=800000", "/api/v1/search?q=kryptonite"}) {
    CAPTURE(target);
    session.run("UPDATE scholarships SET amount = 100 WHERE id = 800001");
    const Reply whole = client.request("GET", target);
    REQUIRE(whole.status == 200);
    CHECK(whole.header("cache-control") == "private, no-cache");
    const std::string tag = whole.header("etag");
    REQUIRE(tag.size() > 2);
    for (const std::string& method : {std::string("GET"), std::string("HEAD")}) {
      for (const std::string& field : {tag, "W/" + tag, "\"other\", " + tag, std::string("*")}) {
        const Reply kept = client.request(method, target, {}, "If-None-Match: " + field + "\r\n");
        CAPTURE(field);
        CHECK(kept.status == 304);
        CHECK(kept.header("etag") == tag);
        CHECK(kept.header("cache-control") == "private, no-cache");
        CHECK(kept.header("content-length").empty());
        CHECK_FALSE(kept.header("endpoint-load-metrics").empty());
      }
    }
    CHECK(client.request("GET", target, {}, "If-None-Match: \"other\"\r\n").status == 200);
    CHECK(client.request("GET", target, {}, "If-None-Match: nonsense\r\n").status == 200);
    session.run("UPDATE scholarships SET amount = 200 WHERE id = 800001");
    const Reply changed = client.request("GET", target, {}, "If-None-Match: " + tag + "\r\n");
    CHECK(changed.status == 200);
    CHECK(changed.header("etag") != tag);
  }
  // Nothing else has a validator: errors, cheaper answers, and what depends on the body.
  const std::string any = "If-None-Match: *\r\n";
  CHECK(client.request("GET", "/api/v1/scholarships/999999999", {}, any).status == 404);
  CHECK(client.request("GET", "/api/v1/scholarships", {}, any + "Spillway-Pressure: 1.00\r\n").status == 200);
  CHECK(client.request("GET", "/health", {}, any).status == 200);
  const std::string profile = R"({"scholarship_id":1,"user_profile":{"gpa":4,"major":"Law"}})";
  CHECK(client.request("POST", "/api/v1/eligibility/check", profile, any).status == 200);
  client.use_token("");
  CHECK(client.request("GET", "/api/v1/scholarships/800001", {}, any).status == 401);
  CHECK(client.request("GET", "/api/v1/openapi.json", {}, any).status == 304);
  CHECK(client.request("GET", "/api/v1/openapi.json").header("cache-control") == "public, max-age=3600");
  session.run("DELETE FROM scholarships WHERE id = 800001");
}

TEST_CASE("HEAD has the fields of GET and no body, and OPTIONS tells the methods") {
  Program api(database());
  Client client(api.port());
  client.login();
  const std::string target = "/api/v1/scholarships/1";
  const Reply get = client.request("GET", target), head = client.request("HEAD", target);
  CHECK(head.status == 200);
  for (const char* field : {"content-length", "content-type", "etag", "cache-control"}) {
    CHECK(head.header(field) == get.header(field));
  }
  client.use_token("");
  struct {
    const char* target;
    const char* allow;
  } const cases[] = {
      {"/api/v1/scholarships/1", "GET, HEAD, OPTIONS"},
      {"/api/v1/search", "GET, HEAD, OPTIONS"},
      {"/health", "GET, HEAD, OPTIONS"},
      {"/api/v1/auth/login", "POST, OPTIONS"},
      {"*", "GET, HEAD, POST, OPTIONS"},
  };
  for (const auto& [path, allow] : cases) {
    CAPTURE(path);
    const Reply reply = client.request("OPTIONS", path);
    CHECK(reply.status == 204);
    CHECK(reply.header("allow") == allow);
    CHECK(reply.header("content-length").empty());
  }
  CHECK(client.request("OPTIONS", "/nothing").status == 404);
  const Reply wrong = client.request("PUT", "/api/v1/search");
  CHECK(wrong.status == 405);
  CHECK(wrong.header("allow") == "GET, HEAD, OPTIONS");
  CHECK(client.request("GET", "*").status == 400);
}

TEST_CASE("Every response carries the id of its request") {
  Program api(database() + "limits: {connections: 1}\n");
  api.await_ready();
  const std::string own = "X-Request-ID: abc-123\r\n";
  Client client(api.port());
  for (const char* target : {"/health", "/nothing", "/api/v1/scholarships", "/api/v1/openapi.json", "/metrics"}) {
    CAPTURE(target);
    CHECK(client.request("GET", target, {}, own).header("x-request-id") == "abc-123");
    const Reply made_up = client.request("GET", target, {}, "X-Request-ID: no id\r\n");
    CHECK(made_up.header("x-request-id").size() == 32);
    if (made_up.status >= 400) CHECK(made_up.json().at("request_id").as_string() == made_up.header("x-request-id"));
  }
  CHECK(client.request("OPTIONS", "*", {}, own).header("x-request-id") == "abc-123");
  client.send("GET / HTTP/1.1\r\n\r\n");  // without Host
  const Reply refused = client.receive();
  CHECK(refused.status == 400);
  CHECK(refused.header("x-request-id").size() == 32);
  CHECK(refused.json().at("request_id").as_string() == refused.header("x-request-id"));
}

TEST_CASE("The access log has a line for each request, also for those that could not be read") {
  Program api(database() + "log: {access: all}\n");
  Client client(api.port());
  CHECK(client.request("GET", "/nothing?secret=x", {}, "X-Request-ID: r1\r\nUser-Agent: test/1\r\n").status == 404);
  CHECK(
      api.await_log(R"("request_id":"r1","client":"127.0.0.1","method":"GET","path":"/nothing","protocol":"HTTP/1.1",)"
                    R"("host":"test","user_agent":"test/1","status":404,"outcome":"client_error","total_ms":)"));
  CHECK(api.log().find("secret=x") == std::string::npos);
  client.send("GET / HTTP/1.1\r\n\r\n");
  const Reply refused = client.receive();
  CHECK(refused.status == 400);
  CHECK(api.await_log("\"request_id\":\"" + refused.header("x-request-id") + "\""));
  CHECK(api.await_log(R"("status":400,"outcome":"client_error")"));
}

TEST_CASE("The API's description is a page for people, too, that loads nothing from elsewhere") {
  Program api(database());
  Client client(api.port());
  const Reply page = client.request("GET", "/api/v1/docs");
  CHECK(page.status == 200);
  CHECK(page.header("content-type") == "text/html; charset=utf-8");
  CHECK(page.body.find("openapi.json") != std::string::npos);
  CHECK(page.body.find("://") == std::string::npos);
  CHECK(page.header("x-content-type-options") == "nosniff");
  CHECK(page.header("content-security-policy").starts_with("default-src 'none'; script-src 'sha256-"));
  CHECK(page.header("content-security-policy").find("unsafe") == std::string::npos);
  CHECK(client.request("GET", "/health").header("content-security-policy").empty());
}

}  // namespace
}  // namespace api::test
