#pragma once

#include <string>
#include <string_view>

#include "config/address.hpp"

namespace config {
class Fields;
}

namespace spillway {

/// Spans of sampled requests, sent to a collector.
struct TracingConfig {
  std::string endpoint;  ///< `http://host[:port][/path]`; empty: none are made
  double sample_ratio = 0;
  std::string service_name = "spillway";

  bool enabled() const { return !endpoint.empty(); }
};

/// Where to post spans.
struct TracingEndpoint {
  config::Address address;
  std::string host;  ///< as a Host field has it
  std::string path;  ///< ends with /v1/traces, which is added to an endpoint without it
};

/// False: it is no endpoint.
bool parse(std::string_view url, TracingEndpoint& endpoint);

void describe_tracing(config::Fields& f, TracingConfig& c);

}  // namespace spillway
