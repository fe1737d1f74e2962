#include "proxy/relay/refusal_page.hpp"

#include <algorithm>
#include <charconv>

#include "proxy/http/grammar.hpp"
#include "proxy/http/message.hpp"
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

/// Takes the part up to a delimiter off the front of a list.
std::string_view take(std::string_view& rest, char delimiter) {
  const auto end = std::find(rest.begin(), rest.end(), delimiter);
  const std::string_view part(rest.begin(), end);
  rest = std::string_view(end == rest.end() ? end : end + 1, rest.end());
  return part;
}

/// Thousandths of the weight of a media range; 1000 without a `q`, 0 if it is malformed.
int weight_of(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::string_view each = http::trim(take(parameters, ';'));
    if (each.size() < 3 || http::to_lower(each[0]) != 'q' || each[1] != '=') continue;
    int weight = each[2] == '1' ? 1000 : 0;
    int factor = 100;
    for (std::size_t i = 4; each[2] == '0' && i < each.size() && i < 7; ++i, factor /= 10) {
      if (each[i] < '0' || each[i] > '9') return 0;
      weight += (each[i] - '0') * factor;
    }
    return weight;
  }
  return 1000;
}

constexpr std::string_view kWaiting =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\"><title>Please wait</title>"
    "<noscript><meta http-equiv=\"refresh\" content=\"{{retry_after}}\"></noscript>"
    "<style>body{font:1.1em/1.5 sans-serif;max-width:34em;margin:15vh auto;padding:0 1em}small{color:#666}</style>"
    "</head><body><h1>One moment, please</h1><p>{{detail}}.</p>"
    "<p id=\"w\">This page tries again by itself.</p><p><small>{{reason}}, {{request_id}}</small></p>"
    "<script>setTimeout(function(){location.reload()},1000*{{retry_after}}*(1+Math.random()))</script>"
    "</body></html>\n";

constexpr std::string_view kOnce =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\"><title>Please try again</title>"
    "<style>body{font:1.1em/1.5 sans-serif;max-width:34em;margin:15vh auto;padding:0 1em}small{color:#666}</style>"
    "</head><body><h1>Not done yet</h1><p>{{detail}}.</p>"
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
  while (!accept.empty()) {
    std::string_view parameters = take(accept, ',');
    const std::string_view type = http::trim(take(parameters, ';'));
    int* weight = http::equals_lower(type, "text/html") ? &html : nullptr;
    if (http::equals_lower(type, "application/json") || http::equals_lower(type, "application/problem+json")) {
      weight = &json;
    }
    if (weight != nullptr) *weight = weight_of(parameters);
  }
  return html > json;
}

std::string_view browser_page(bool retries) {
  return retries ? kWaiting : kOnce;
}

}  // namespace spillway::relay
