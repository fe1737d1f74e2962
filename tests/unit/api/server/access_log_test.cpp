// The lines about single requests.

#include "api/server/access_log.hpp"

#include <doctest/doctest.h>

namespace api {
namespace {

using namespace std::chrono_literals;
using config::Outcome;

Message message() {
  Message m;
  m.method(boost::beast::http::verb::get);
  m.version(11);
  m.set("Host", "api.example");
  m.set("User-Agent", "curl/8");
  m.set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  return m;
}

TEST_CASE("A line names the fields as the proxy does") {
  Response response;
  response.body = "{}";
  const Message m = message();
  Finished finished{.message = m, .request_id = "r1", .client = "203.0.113.7", .peer = "127.0.0.1", .path = "/x"};
  finished.sent_body = true;
  finished.total = 1500us;
  finished.in_flight = 3;
  finished.limit = 500;
  CHECK(access_members(response, finished) ==
        R"("request_id":"r1","trace_id":"0af7651916cd43dd8448eb211c80319c","client":"203.0.113.7","peer":"127.0.0.1",)"
        R"("method":"GET","path":"/x","protocol":"HTTP/1.1","host":"api.example","user_agent":"curl/8","status":200,)"
        R"("outcome":"ok","total_ms":1.500,"bytes_in":0,"bytes_out":2,"in_flight":3,"limit":500)");
  finished.client = finished.peer;
  finished.sent_body = false;
  response.reason = "degraded";
  const std::string own = access_members(response, finished);
  CHECK(own.find("\"peer\"") == std::string::npos);
  CHECK(own.find(R"("status":200,"outcome":"ok","reason":"degraded")") != std::string::npos);
  CHECK(own.find(R"("bytes_out":0)") != std::string::npos);
}

TEST_CASE("The outcome follows from status and reason, and the level from the outcome") {
  struct {
    int status;
    const char* reason;
    Outcome outcome;
    LogLevel level;
  } const cases[] = {
      {200, "", Outcome::ok, LogLevel::info},
      {304, "", Outcome::ok, LogLevel::info},
      {404, "", Outcome::client_error, LogLevel::info},
      {429, "login_limit", Outcome::shed, LogLevel::warn},
      {429, "login_queue", Outcome::shed, LogLevel::warn},
      {503, "in_flight", Outcome::shed, LogLevel::warn},
      {503, "pool_timeout", Outcome::shed, LogLevel::warn},
      {503, "statement_timeout", Outcome::timeout, LogLevel::warn},
      {503, "database_unreachable", Outcome::upstream_error, LogLevel::error},
      {500, "", Outcome::upstream_error, LogLevel::error},
  };
  for (const auto& [status, reason, outcome, level] : cases) {
    Response response;
    response.status = status;
    response.reason = reason;
    CAPTURE(status);
    CHECK(outcome_of(response) == outcome);
    CHECK(level_of(outcome) == level);
  }
  Response gone;
  gone.unanswered = true;
  CHECK(outcome_of(gone) == Outcome::aborted);
}

TEST_CASE("The audit log names who, from where and how it ended, and no secret") {
  Response response;
  response.login = LoginOutcome::wrong;
  response.user = "eve \"x\"";
  Message m = message();
  m.body() = "username=eve&password=hunter2";
  const Finished finished{.message = m, .request_id = "r1", .client = "203.0.113.7", .peer = "127.0.0.1", .path = "/x"};
  CHECK(login_members(response, finished) ==
        R"("message":"audit","event":"login","outcome":"wrong","user":"eve \"x\"","client":"203.0.113.7",)"
        R"("peer":"127.0.0.1","request_id":"r1")");
  CHECK(change_members("user_added", "eve", "root", "r2") ==
        R"("message":"audit","event":"user_added","user":"eve","client":"local","actor":"root","request_id":"r2")");
}

}  // namespace
}  // namespace api
