#include "proxy/relay/own_response.hpp"

#include <algorithm>
#include <charconv>

#include "proxy/http/problem.hpp"
#include "proxy/relay/refusal_page.hpp"
#include "proxy/text/status_phrase.hpp"

namespace spillway::relay {

namespace {
constexpr std::string_view kMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
constexpr std::string_view kProxyStatus = "spillway; error=";
constexpr std::string_view kProblemType = "application/problem+json";
constexpr std::string_view kHtmlType = "text/html; charset=utf-8";
/// The page brings its own style and script, and loads nothing.
constexpr std::string_view kPagePolicy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";
/// A permission that the proxy gives in the API's place is soon asked for again.
constexpr std::string_view kPreflightAge = "5";
}  // namespace

void OwnResponse::begin(int status, std::string_view reason, const OwnResponseContext& context) {
  head.status = status;
  head.reason = reason;
  head.fields.clear();
  head.framing = http::Framing::none;
  head.announces_length = false;
  body.clear();
  add("Date", context.date);
}

void OwnResponse::make_problem(const Answer& answer, const OwnResponseContext& context) {
  begin(answer.status, answer.title, context);
  add_problem(answer, context);
  finish(answer, kProblemType, context);
}

void OwnResponse::make_refusal(const Answer& answer, const RefusalConfig& look, const OwnResponseContext& context) {
  begin(answer.status, answer.title, context);
  const PageValues values{answer.reason, context.request_id, context.detail.empty() ? answer.detail : context.detail,
                          std::max(context.retry_after, 1)};
  std::string_view type = kProblemType;
  if (look.format == RefusalConfig::Format::file) {
    type = look.content_type;
    write_page(look.file.text, values, escape_for(type), body);
  } else if (context.wants_html) {
    type = kHtmlType;
    write_page(browser_page(context.may_repeat), values, Escape::html, body);
    add("Content-Security-Policy", kPagePolicy);
  } else {
    add_problem(answer, context);
  }
  for (const HeaderLine& each : look.headers) add(each.name, each.value);
  finish(answer, type, context);
}

void OwnResponse::make_preflight(std::string_view headers, const OwnResponseContext& context) {
  begin(204, text::status_phrase(204), context);
  if (context.origin == nullptr) return add("Vary", "Origin");
  add_cors(context);
  add("Access-Control-Allow-Methods", kMethods);
  if (!headers.empty()) add("Access-Control-Allow-Headers", headers);
  add("Access-Control-Max-Age", kPreflightAge);
}

void OwnResponse::add_problem(const Answer& answer, const OwnResponseContext& context) {
  http::write_problem({.status = answer.status,
                       .title = answer.title,
                       .detail = context.detail.empty() ? answer.detail : context.detail,
                       .reason = answer.reason,
                       .request_id = context.request_id},
                      body);
}

void OwnResponse::add_cors(const OwnResponseContext& context) {
  if (context.origin == nullptr) return;
  add("Access-Control-Allow-Origin", context.origin->text);
  if (!context.exposed.empty()) add("Access-Control-Expose-Headers", context.exposed);
  if (context.origin->text == "*") return;
  add("Access-Control-Allow-Credentials", "true");
  add("Vary", "Origin");
}

/// What every answer with a body has: framing and fields.
void OwnResponse::finish(const Answer& answer, std::string_view content_type, const OwnResponseContext& context) {
  head.content_length = body.size();
  head.announces_length = context.head_method;
  if (!context.head_method) head.framing = http::Framing::length;

  char seconds[12];
  const auto end = std::to_chars(seconds, seconds + sizeof seconds, context.retry_after).ptr;
  values_ = kProxyStatus;
  values_ += answer.proxy_status;
  const std::size_t retry_after_at = values_.size();
  values_.append(seconds, end);
  const std::string_view values = values_;
  add("Content-Type", content_type);
  add("Cache-Control", "no-store");
  add("Proxy-Status", values.substr(0, retry_after_at));
  if (context.retry_after != kNoRetryAfter) add("Retry-After", values.substr(retry_after_at));
  if (answer.status == 405) add("Allow", kMethods);
  add_cors(context);
  if (context.head_method) body.clear();
}

void OwnResponse::make_options(const OwnResponseContext& context) {
  begin(204, text::status_phrase(204), context);
  add("Allow", kMethods);
}

}  // namespace spillway::relay
