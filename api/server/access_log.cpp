#include "api/server/access_log.hpp"

#include <algorithm>
#include <array>
#include <chrono>

#include "api/endpoints/metrics.hpp"
#include "api/server/response_head.hpp"
#include "proxy/text/json.hpp"
#include "proxy/tracing/ids.hpp"

namespace api {

namespace {

namespace http = boost::beast::http;
using config::Outcome;

std::string_view trace_id(const Finished& finished) {
  if (!finished.trace_id.empty()) return finished.trace_id;
  const std::string_view told = finished.message["traceparent"];
  return tracing::valid_traceparent(told) ? tracing::trace_id(told) : std::string_view();
}

/// Only the members, so that the line can begin with its time.
std::string without_bracket(std::string object) {
  object.erase(0, 1);
  return object;
}

void optional_member(text::JsonWriter& json, std::string_view name, std::string_view value) {
  if (!value.empty()) json.member(name, value);
}

}  // namespace

Outcome outcome_of(const Response& response) {
  constexpr std::array<std::string_view, 5> kShed{"connections", "in_flight", "login_limit", "login_queue",
                                                  "pool_timeout"};
  if (response.unanswered) return Outcome::aborted;
  if (response.status < 400) return Outcome::ok;
  if (std::find(kShed.begin(), kShed.end(), response.reason) != kShed.end()) return Outcome::shed;
  if (response.status < 500) return Outcome::client_error;
  return response.reason == "statement_timeout" ? Outcome::timeout : Outcome::upstream_error;
}

std::string access_members(const Response& response, const Finished& finished) {
  const Message& message = finished.message;
  std::string line;
  text::JsonWriter json(line);
  json.begin_object().member("request_id", finished.request_id);
  optional_member(json, "trace_id", trace_id(finished));
  json.member("client", finished.client);
  if (finished.peer != finished.client) json.member("peer", finished.peer);
  json.member("method", std::string_view(message.method_string())).member("path", finished.path);
  json.member("protocol", message.version() == 10 ? "HTTP/1.0" : "HTTP/1.1");
  optional_member(json, "host", message[http::field::host]);
  optional_member(json, "user_agent", message[http::field::user_agent]);
  json.member("status", response.unanswered ? 0 : response.status);
  json.member("outcome", name(outcome_of(response)));
  optional_member(json, "reason", response.reason);
  json.key("total_ms").value(std::chrono::duration<double, std::milli>(finished.total).count(), 3);
  json.member("bytes_in", static_cast<std::uint64_t>(message.body().size()));
  const bool sent = finished.sent_body && !response.unanswered && !bodiless(response.status);
  json.member("bytes_out", static_cast<std::uint64_t>(sent ? response.body.size() : 0));
  json.member("in_flight", finished.in_flight).member("limit", finished.limit);
  return without_bracket(std::move(line));
}

std::string login_members(const Response& response, const Finished& finished) {
  std::string line;
  text::JsonWriter json(line);
  json.begin_object().member("message", "audit").member("event", "login");
  json.member("outcome", name(response.login)).member("user", std::string_view(response.user));
  json.member("client", finished.client);
  if (finished.peer != finished.client) json.member("peer", finished.peer);
  json.member("request_id", finished.request_id);
  return without_bracket(std::move(line));
}

std::string change_members(std::string_view event, std::string_view user, std::string_view actor,
                           std::string_view request_id) {
  std::string line;
  text::JsonWriter json(line);
  json.begin_object().member("message", "audit").member("event", event);
  optional_member(json, "user", user);
  json.member("client", "local");
  optional_member(json, "actor", actor);
  json.member("request_id", request_id);
  return without_bracket(std::move(line));
}

}  // namespace api
