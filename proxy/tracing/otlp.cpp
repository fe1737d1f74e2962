#include "proxy/tracing/otlp.hpp"

#include "proxy/text/json.hpp"
#include "proxy/tracing/span_writer.hpp"

namespace tracing {

std::string otlp_json(std::span<const std::unique_ptr<const Record>> records, const Resource& resource) {
  std::string out;
  text::JsonWriter json(out);
  SpanWriter spans(json);
  json.begin_object().key("resourceSpans").begin_array().begin_object().key("resource").begin_object();
  json.key("attributes").begin_array();
  spans.add("service.name", resource.service);
  spans.add("service.version", resource.version);
  spans.add("service.instance.id", resource.instance);
  json.end_array().end_object().key("scopeSpans").begin_array().begin_object().key("scope").begin_object();
  json.member("name", std::string_view(resource.program)).member("version", std::string_view(resource.version));
  json.end_object().key("spans").begin_array();
  for (const auto& record : records) record->write(spans);
  json.end_array().end_object().end_array().end_object().end_array().end_object();
  return out;
}

}  // namespace tracing
