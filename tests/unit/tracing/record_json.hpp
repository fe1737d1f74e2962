#pragma once

#include <string>

#include "proxy/text/json.hpp"
#include "proxy/tracing/record.hpp"
#include "proxy/tracing/span_writer.hpp"

namespace tracing {

/// The spans of a record, as the exporter writes them.
inline std::string json_of(const Record& record) {
  std::string out;
  text::JsonWriter json(out);
  SpanWriter writer(json);
  record.write(writer);
  return out;
}

}  // namespace tracing
