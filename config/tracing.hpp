#pragma once

#include <string>
#include <string_view>

#include "config/address.hpp"

namespace config {

class Fields;
class Problems;

/// Spans of sampled requests, sent to a collector: the section `tracing` of both programs.
struct TracingConfig {
  std::string endpoint = {};  ///< `http[s]://host[:port][/path]`; empty: none are made
  std::string ca = {};        ///< file in PEM; empty: the authorities that the system trusts
  double sample_ratio = 0;
  std::string service_name = {};

  bool enabled() const { return !endpoint.empty(); }
};

/// Where to post spans.
struct TracingEndpoint {
  Address address;
  bool secure = false;  ///< over TLS, and the certificate must have the address's host
  std::string host;     ///< as a Host field has it
  std::string path;     ///< ends with /v1/traces, which is added to an endpoint without it
};

/// False: it is no endpoint.
bool parse(std::string_view url, TracingEndpoint& endpoint);

void describe_tracing(Fields& f, TracingConfig& c);
/// `fault_of_authorities`: what is wrong with a file of authorities, with its path; empty: nothing.
void check_tracing(const TracingConfig& c, Problems& problems,
                   std::string (*fault_of_authorities)(const std::string& file));

}  // namespace config
