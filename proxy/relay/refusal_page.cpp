#include "proxy/relay/refusal_page.hpp"

#include <charconv>

#include "proxy/http/grammar.hpp"
#include "proxy/http/message.hpp"
#include "proxy/text/accept.hpp"
#include "proxy/text/json.hpp"

namespace spillway::relay {
namespace {

void append_html_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
}

void append(std::string& out, std::string_view text, Escape escape) {
  if (escape == Escape::html) {
    append_html_escaped(out, text);
  } else if (escape == Escape::json) {
    text::append_json_escaped(out, text);
  } else {
    out += text;
  }
}

#define PAGE_HEAD                                                                                 \
  "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"                             \
  "<meta name=\"viewport\" content=\"width=device-width\"><style>body{font:1.1em/1.5 sans-serif;" \
  "max-width:34em;margin:15vh auto;padding:0 1em}small{color:#666}</style>"

constexpr std::string_view kWaiting = PAGE_HEAD
    "<title>Please wait</title><noscript><meta http-equiv=\"refresh\" content=\"{{retry_after}}\"></noscript>"
    "</head><body><h1>One moment, please</h1><p>{{detail}}.</p>"
    "<p id=\"w\">This page tries again by itself.</p><p><small>{{reason}}, {{request_id}}</small></p>"
    "<script>setTimeout(function(){location.reload()},1000*{{retry_after}}*(1+Math.random()))</script>"
    "</body></html>\n";

constexpr std::string_view kOnce = PAGE_HEAD
    "<title>Please try again</title></head><body><h1>Not done yet</h1><p>{{detail}}.</p>"
    "<p>It has not been passed on. Please send it again in {{retry_after}} seconds.</p>"
    "<p><small>{{reason}}, {{request_id}}</small></p></body></html>\n";

}  // namespace

Escape escape_for(std::string_view content_type) {
  const std::string_view type = http::trim(content_type.substr(0, content_type.find(';')));
  if (type.find("html") != std::string_view::npos || type.find("xml") != std::string_view::npos) return Escape::html;
  return type.find("json") != std::string_view::npos ? Escape::json : Escape::none;
}

void write_page(std::string_view page, const PageValues& values, Escape escape, std::string& out) {
  char digits[12];
  const auto end = std::to_chars(digits, digits + sizeof digits, values.retry_after).ptr;
  for (std::size_t open = page.find("{{"); open < page.size(); open = page.find("{{")) {
    const std::size_t close = page.find("}}", open);
    if (close >= page.size()) break;
    const std::string_view name = page.substr(open + 2, close - open - 2);
    out += page.substr(0, open);
    if (name == "reason") append(out, values.reason, escape);
    if (name == "request_id") append(out, values.request_id, escape);
    if (name == "detail") append(out, values.detail, escape);
    if (name == "retry_after") out.append(digits, end);
    page.remove_prefix(close + 2);
  }
  out += page;
}

bool prefers_html(std::string_view accept) {
  int html = 0, json = 0;
  while (const auto accepted = text::take_accepted(accept)) {
    const auto is = [&](std::string_view type) { return http::equals_lower(accepted->name, type); };
    if (is("text/html")) html = accepted->weight;
    if (is("application/json") || is("application/problem+json")) json = accepted->weight;
  }
  return html > json;
}

std::string_view browser_page(bool retries) {
  return retries ? kWaiting : kOnce;
}

}  // namespace spillway::relay
