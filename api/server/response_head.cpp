#include "api/server/response_head.hpp"

#include <charconv>
#include <ctime>
#include <string_view>

#include "api/endpoints/load_report.hpp"
#include "proxy/text/http_date.hpp"
#include "proxy/text/status_phrase.hpp"

namespace api {

namespace {

void append_number(std::string& out, std::string_view before, std::size_t number) {
  char digits[24];
  out.append(before);
  out.append(digits, std::to_chars(digits, digits + sizeof(digits), number).ptr);
  out += "\r\n";
}

}  // namespace

void append_head(std::string& head, const Response& response, Keep keep, const db::PoolGauges& gauges,
                 std::string_view request_id) {
  char digits[8];
  head += "HTTP/1.1 ";
  head.append(digits, std::to_chars(digits, digits + sizeof(digits), response.status).ptr);
  head.append(" ").append(text::status_phrase(response.status)).append("\r\n");
  thread_local text::HttpDate date;
  head.append("Date: ").append(date.at(std::time(nullptr))).append("\r\n");
  if (!bodiless(response.status)) {
    head.append("Content-Type: ").append(response.content_type).append("\r\n");
    append_number(head, "Content-Length: ", response.body.size());
  }
  if (response.retry_after > 0) append_number(head, "Retry-After: ", static_cast<std::size_t>(response.retry_after));
  if (response.authenticate) head += "WWW-Authenticate: Bearer\r\n";
  if (!response.allow.empty()) head.append("Allow: ").append(response.allow).append("\r\n");
  if (!response.etag.empty()) head.append("ETag: ").append(response.etag).append("\r\n");
  const std::string_view cache_control = response.no_store ? "no-store" : response.cache_control;
  if (!cache_control.empty()) head.append("Cache-Control: ").append(cache_control).append("\r\n");
  if (!response.content_policy.empty()) {
    head.append("Content-Security-Policy: ").append(response.content_policy).append("\r\n");
    head += "X-Content-Type-Options: nosniff\r\n";
  }
  if (keep == Keep::no) head += "Connection: close\r\n";
  if (keep == Keep::told) head += "Connection: keep-alive\r\n";
  head.append("X-Request-ID: ").append(request_id).append("\r\n");
  append_load_report(head, gauges, response.needed_database);
  head += "\r\n";
}

}  // namespace api
