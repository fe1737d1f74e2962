#include "proxy/tracing/span_writer.hpp"

#include <charconv>
#include <string>

namespace tracing {

namespace {

constexpr int kError = 2;         ///< of the enumeration `Status.StatusCode`
constexpr int kMilliseconds = 3;  ///< decimals of durations in milliseconds

std::string nanoseconds(Instant at) {
  return std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count());
}

}  // namespace

void SpanWriter::begin(std::string_view name, Kind kind, const SpanHead& head) {
  json_.begin_object().member("traceId", view(head.trace)).member("spanId", view(head.id));
  if (head.has_parent) json_.member("parentSpanId", view(head.parent));
  json_.member("name", name).member("kind", static_cast<int>(kind));
  json_.member("startTimeUnixNano", std::string_view(nanoseconds(head.began)));
  json_.member("endTimeUnixNano", std::string_view(nanoseconds(head.ended)));
  json_.key("attributes").begin_array();
}

void SpanWriter::end(bool failed) {
  json_.end_array().key("status").begin_object();
  if (failed) json_.member("code", kError);
  json_.end_object().end_object();
}

text::JsonWriter& SpanWriter::begin_attribute(std::string_view key) {
  return json_.begin_object().member("key", key).key("value").begin_object();
}

void SpanWriter::add(std::string_view key, std::string_view value) {
  if (!value.empty()) begin_attribute(key).member("stringValue", value).end_object().end_object();
}

/// Integers are strings in JSON, so that none loses digits.
void SpanWriter::add(std::string_view key, int value) {
  if (value == 0) return;
  begin_attribute(key).member("intValue", std::string_view(std::to_string(value))).end_object().end_object();
}

void SpanWriter::add_milliseconds(std::string_view key, double value) {
  begin_attribute(key).member("doubleValue", value, kMilliseconds).end_object().end_object();
}

void SpanWriter::add_server(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  int port = 0;
  if (colon != std::string_view::npos && !address.starts_with("unix:")) {
    const std::string_view digits = address.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error == std::errc() && end == digits.data() + digits.size()) address = address.substr(0, colon);
  }
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  add("server.address", address);
  add("server.port", port);
}

}  // namespace tracing
