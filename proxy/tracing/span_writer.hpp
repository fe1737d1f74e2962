#pragma once

#include <string_view>

#include "proxy/text/json.hpp"
#include "proxy/tracing/ids.hpp"
#include "proxy/tracing/record.hpp"

namespace tracing {

/// What every span has.
struct SpanHead {
  TraceId trace{};
  SpanId id{};
  SpanId parent{};
  bool has_parent = false;
  Instant began{}, ended{};
};

/// Values of the enumeration `Span.SpanKind`.
enum class Kind : int { internal = 1, server = 2, client = 3 };

/// Writes spans in OTLP's JSON form: for each `begin`, its attributes, `end`. Texts must be valid UTF-8.
class SpanWriter {
 public:
  explicit SpanWriter(text::JsonWriter& json) : json_(json) {}
  SpanWriter(const SpanWriter&) = delete;

  void begin(std::string_view name, Kind kind, const SpanHead& head);
  void end(bool failed);

  // Attributes. A text without content and a number that is 0 are left out.
  void add(std::string_view key, std::string_view value);
  void add(std::string_view key, int value);
  void add_milliseconds(std::string_view key, double value);
  /// `server.address` and `server.port`, of `host:port`, `[v6]:port` or `unix:/path`.
  void add_server(std::string_view address);

 private:
  text::JsonWriter& begin_attribute(std::string_view key);
  text::JsonWriter& json_;
};

}  // namespace tracing
