#include "proxy/config/tracing.hpp"

#include <algorithm>

#include "config/fields.hpp"

namespace spillway {

namespace {
constexpr std::string_view kScheme = "http://";
constexpr std::string_view kTraces = "/v1/traces";

constexpr config::TextForm kEndpoint = {"empty, or the URL of a collector such as http://localhost:4318",
                                        R"(^(http://[!$->A-~]+)?$)", [](std::string_view text) {
                                          TracingEndpoint endpoint;
                                          return text.empty() || parse(text, endpoint);
                                        }};
}  // namespace

bool parse(std::string_view url, TracingEndpoint& endpoint) {
  // No user, query or fragment: a collector has none.
  const auto fits = [](char c) { return c > ' ' && c < 0x7F && c != '?' && c != '#' && c != '@'; };
  if (!url.starts_with(kScheme) || !std::all_of(url.begin(), url.end(), fits)) return false;
  url.remove_prefix(kScheme.size());
  const std::size_t slash = std::min(url.find('/'), url.size());
  endpoint.host = url.substr(0, slash);
  std::string_view path = url.substr(slash);
  while (path.ends_with('/')) path.remove_suffix(1);
  endpoint.path = path;
  if (!path.ends_with(kTraces)) endpoint.path += kTraces;
  if (parse(std::string_view(endpoint.host), endpoint.address)) {
    return endpoint.address.kind == config::Address::Kind::tcp && endpoint.address.port != 0 &&
           !endpoint.address.host.empty();
  }
  return parse(std::string_view(endpoint.host + ":80"), endpoint.address) && !endpoint.address.host.empty();
}

void describe_tracing(config::Fields& f, TracingConfig& c) {
  f.text({.name = "endpoint",
          .doc = "Collector that takes OTLP over HTTP, as JSON; `/v1/traces` is added to a URL without it. Empty: no "
                 "spans are made.",
          .needs_restart = true},
         c.endpoint, kEndpoint);
  f.number({"sample_ratio",
            "Share of the traces begun here that are sampled. A trace that is continued (`trusted_proxies`, "
            "`trust_traces`) is sampled if its caller's is."},
           c.sample_ratio, {0, 1});
  f.text({.name = "service_name", .doc = "`service.name` of the spans.", .needs_restart = true}, c.service_name,
         {1, 256});
}

}  // namespace spillway
