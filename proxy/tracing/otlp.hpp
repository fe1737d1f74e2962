#pragma once

#include <memory>
#include <span>
#include <string>

#include "proxy/tracing/record.hpp"

namespace tracing {

/// The process that the spans come from. Valid UTF-8.
struct Resource {
  std::string service;  ///< as it is configured
  std::string program, version, instance;
};

/// The body of an OTLP/HTTP request in its JSON form (OTLP 1.x, ExportTraceServiceRequest).
std::string otlp_json(std::span<const std::unique_ptr<const Record>> records, const Resource& resource);

}  // namespace tracing
