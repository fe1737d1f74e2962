#include "proxy/tracing/http_server_span.hpp"

#include <algorithm>
#include <array>

namespace tracing {

namespace {
constexpr std::string_view kOther = "_OTHER";
}

std::string_view known_method(std::string_view method) {
  constexpr std::array<std::string_view, 9> kMethods{"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                                     "CONNECT", "OPTIONS", "TRACE", "PATCH"};
  return std::ranges::find(kMethods, method) != kMethods.end() ? method : kOther;
}

void add_method(SpanWriter& out, std::string_view method) {
  const std::string_view known = known_method(method);
  out.add("http.request.method", known);
  if (known == kOther) out.add("http.request.method_original", method);
}

std::string_view method_in_name(std::string_view method) {
  const std::string_view known = known_method(method);
  return known == kOther ? "HTTP" : known;
}

void HttpServerSpan::begin(SpanWriter& out) const {
  std::string name(method_in_name(method));
  if (!route.empty()) name.append(" ").append(route);
  out.begin(name, Kind::server, head);
  add_method(out, method);
  out.add("http.route", route);
  out.add("url.path", path);
  out.add("url.scheme", scheme);
  out.add_server(host);
  out.add("client.address", client);
  out.add("user_agent.original", user_agent);
  out.add("network.protocol.version", protocol.substr(protocol.find('/') + 1));
  out.add("http.response.status_code", status);
  if (failed()) out.add("error.type", reason.empty() ? std::to_string(status) : reason);
}

}  // namespace tracing
