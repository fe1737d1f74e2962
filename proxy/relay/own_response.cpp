#include "proxy/relay/own_response.hpp"

#include <charconv>

#include "proxy/http/problem.hpp"
#include "proxy/text/status_phrase.hpp"

namespace spillway::relay {

namespace {
constexpr std::string_view kMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
constexpr std::string_view kProxyStatus = "spillway; error=";
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
  http::write_problem({.status = answer.status,
                       .title = answer.title,
                       .detail = context.detail.empty() ? answer.detail : context.detail,
                       .reason = answer.reason,
                       .request_id = context.request_id},
                      body);
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
  add("Content-Type", "application/problem+json");
  add("Cache-Control", "no-store");
  add("Proxy-Status", values.substr(0, retry_after_at));
  if (context.retry_after != kNoRetryAfter) add("Retry-After", values.substr(retry_after_at));
  if (answer.status == 405) add("Allow", kMethods);
  if (context.head_method) body.clear();
}

void OwnResponse::make_options(const OwnResponseContext& context) {
  begin(204, text::status_phrase(204), context);
  add("Allow", kMethods);
}

}  // namespace spillway::relay
