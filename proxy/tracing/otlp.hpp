#pragma once

#include <span>
#include <string>
#include <string_view>

#include "proxy/tracing/record.hpp"

namespace spillway::tracing {

/// The process that the spans come from.
struct Resource {
  std::string service, version, instance;
};

/// The body of an OTLP/HTTP request in its JSON form (OTLP 1.x, ExportTraceServiceRequest): attributes by the semantic
/// conventions of OpenTelemetry for HTTP, and `spillway.class`, `spillway.reason`, `spillway.queue_ms`.
std::string otlp_json(std::span<const Record> records, const Resource& resource);

}  // namespace spillway::tracing
