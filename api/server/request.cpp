#include "api/server/request.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include <boost/beast/core/string.hpp>

#include "api/endpoints/brown_out.hpp"
#include "config/forwarded.hpp"
#include "proxy/text/request_id.hpp"
#include "proxy/tracing/ids.hpp"

namespace api {

namespace {

namespace http = boost::beast::http;

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// The target without scheme and authority: `/path?query`, `?query` or empty. A server must accept the absolute form
/// (RFC 9112, 3.2.2). Null: the target has neither the absolute nor the origin
/// form, and is not the `*` of OPTIONS.
std::optional<std::string_view> path_and_query(std::string_view target, http::verb method) {
  if (target.starts_with('/')) return target;
  if (target == kWholeServer && method == http::verb::options) return target;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!boost::beast::iequals(target.substr(0, scheme.size()), scheme)) continue;
    target.remove_prefix(scheme.size());
    const std::size_t authority = std::min(target.find_first_of("/?"), target.size());
    if (authority == 0) return std::nullopt;
    return target.substr(authority);
  }
  return std::nullopt;
}

Method method_of(http::verb verb) {
  switch (verb) {
    case http::verb::get:
      return Method::get;
    case http::verb::head:
      return Method::head;
    case http::verb::post:
      return Method::post;
    case http::verb::options:
      return Method::options;
    default:
      return Method::other;
  }
}

/// Empty if there is none. Of two fields nobody can tell which one is meant.
std::string_view only_value(const Message& message, std::string_view name) {
  const auto [begin, end] = message.equal_range(name);
  return begin != end && std::next(begin) == end ? std::string_view(begin->value()) : std::string_view();
}

int pressure_of(const Message& message) {
  const std::string_view value = only_value(message, "Spillway-Pressure");
  return value.empty() ? 0 : parse_pressure(value);
}

}  // namespace

std::string make_request_id() {
  thread_local tracing::IdGenerator ids;
  return std::string(text::view(ids.request_id()));
}

std::string_view traceparent_of(const Message& message, const Sender& sender) {
  return sender.trusted ? only_value(message, "traceparent") : std::string_view();
}

int fault_of_head(const Message& message) {
  const bool one_host = message.version() == 10 || message.count(http::field::host) == 1;
  const std::string_view target = message.target();
  if (!one_host || !path_and_query(target, message.method()) || target.find('#') != std::string_view::npos) return 400;
  // Refuse a head that two parsers could understand as two lengths of the body (RFC 9112, 6.1 and 6.3).
  const std::size_t lengths = message.count(http::field::content_length);
  if (lengths > 1) return 400;
  if (lengths == 1 && !is_number(message[http::field::content_length])) return 400;
  const std::size_t codings = message.count(http::field::transfer_encoding);
  if (codings == 0) return 0;
  if (lengths > 0 || message.version() == 10) return 400;
  const bool chunked = boost::beast::iequals(message[http::field::transfer_encoding], "chunked");
  return codings == 1 && chunked ? 0 : 501;
}

Request make_request(const Message& message, const Sender& sender, std::string& made_up_id, Caller caller) {
  const std::string_view target = path_and_query(message.target(), message.method()).value_or("");
  const std::size_t mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  std::string_view id = message["X-Request-ID"];
  if (!text::valid_request_id(id)) {
    made_up_id = make_request_id();
    id = made_up_id;
  }
  config::ForwardedFor forwarded(sender.address, sender.trusted, sender.proxies);
  if (forwarded.open()) {
    // All lines are one list; its right end is in the last line.
    auto [begin, end] = message.equal_range("X-Forwarded-For");
    while (end != begin && forwarded.open()) forwarded.line((--end)->value());
  }
  return {
      .method = method_of(message.method()),
      .path = path.empty() ? "/" : path,
      .query = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1),
      .authorization = message[http::field::authorization],
      .content_type = message[http::field::content_type],
      .body = message.body(),
      .client = forwarded.client(),
      .request_id = id,
      .pressure = pressure_of(message),
      .caller = caller,
  };
}

}  // namespace api
