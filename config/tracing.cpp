#include "config/tracing.hpp"

#include <algorithm>

#include "config/fields.hpp"
#include "config/load.hpp"

namespace config {

namespace {
constexpr std::string_view kPlain = "http://", kSecure = "https://";
constexpr std::string_view kTraces = "/v1/traces";

constexpr TextForm kEndpoint = {"empty, or the URL of a collector such as http://localhost:4318",
                                R"(^(https?://[!$->A-~]+)?$)", [](std::string_view text) {
                                  TracingEndpoint endpoint;
                                  return text.empty() || parse(text, endpoint);
                                }};
}  // namespace

bool parse(std::string_view url, TracingEndpoint& endpoint) {
  // No user, query or fragment: a collector has none.
  const auto fits = [](char c) { return c > ' ' && c < 0x7F && c != '?' && c != '#' && c != '@'; };
  endpoint.secure = url.starts_with(kSecure);
  if ((!endpoint.secure && !url.starts_with(kPlain)) || !std::all_of(url.begin(), url.end(), fits)) return false;
  url.remove_prefix(endpoint.secure ? kSecure.size() : kPlain.size());
  const std::size_t slash = std::min(url.find('/'), url.size());
  endpoint.host = url.substr(0, slash);
  std::string_view path = url.substr(slash);
  while (path.ends_with('/')) path.remove_suffix(1);
  endpoint.path = path;
  if (!path.ends_with(kTraces)) endpoint.path += kTraces;
  if (parse(std::string_view(endpoint.host), endpoint.address)) {
    return endpoint.address.kind == Address::Kind::tcp && endpoint.address.port != 0 && !endpoint.address.host.empty();
  }
  const std::string with_port = endpoint.host + (endpoint.secure ? ":443" : ":80");
  return parse(std::string_view(with_port), endpoint.address) && !endpoint.address.host.empty();
}

void describe_tracing(Fields& f, TracingConfig& c) {
  f.text({.name = "endpoint",
          .doc = "Collector that takes OTLP over HTTP, as JSON; `/v1/traces` is added to a URL without it. With "
                 "`https://` its certificate must have the host of the URL. Empty: no spans are made.",
          .needs_restart = true},
         c.endpoint, kEndpoint);
  f.text({.name = "ca",
          .doc = "File with the authorities, in PEM, that may have signed the collector's certificate. Empty: those "
                 "that the system trusts.",
          .needs_restart = true},
         c.ca, {0, kMaxTextBytes});
  f.number({"sample_ratio",
            "Share of the traces begun here that are sampled. A trace that is continued (see `trusted_proxies`) is "
            "sampled if its caller's is."},
           c.sample_ratio, {0, 1});
  f.text({.name = "service_name", .doc = "`service.name` of the spans.", .needs_restart = true}, c.service_name,
         {1, 256});
}

void check_tracing(const TracingConfig& c, Problems& problems,
                   std::string (*fault_of_authorities)(const std::string& file)) {
  TracingEndpoint endpoint;
  const bool secure = parse(c.endpoint, endpoint) && endpoint.secure;
  problems.require(c.ca.empty() || secure, {"tracing.ca", "tracing.endpoint"},
                   "ca has an effect only with an endpoint that begins with https://");
  if (c.ca.empty() || !secure) return;
  const std::string fault = fault_of_authorities(c.ca);
  problems.require(fault.empty(), {"tracing.ca"}, fault);
}

}  // namespace config
