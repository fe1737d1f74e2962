#pragma once

#include <map>
#include <string>
#include <vector>

#include <boost/json.hpp>
#include <doctest/doctest.h>

#include "tests/integration/proxy/upstream.hpp"

/// A collector of OTLP over HTTP that decodes what it gets. The test program needs the sources of Boost.JSON.
namespace spillway::test {

struct Span {
  std::string service, trace, id, parent, name;
  int kind = 0;
  bool failed = false;
  long long begin = 0, end = 0;
  std::map<std::string, std::string> attributes;  ///< numbers as text
};

inline std::string text_of(const boost::json::value& value) {
  const boost::json::object& one = value.as_object();
  if (const boost::json::value* text = one.if_contains("stringValue")) return std::string(text->as_string());
  if (const boost::json::value* number = one.if_contains("intValue")) return std::string(number->as_string());
  return boost::json::serialize(one.at("doubleValue"));
}

/// Decodes an ExportTraceServiceRequest; throws if it is none.
inline std::vector<Span> decode(const std::string& body, std::map<std::string, std::string>* resource = nullptr) {
  std::vector<Span> spans;
  const boost::json::value document = boost::json::parse(body);
  for (const boost::json::value& from : document.at("resourceSpans").as_array()) {
    std::map<std::string, std::string> of;
    for (const boost::json::value& each : from.at("resource").at("attributes").as_array()) {
      of[std::string(each.at("key").as_string())] = text_of(each.at("value"));
    }
    if (resource != nullptr) *resource = of;
    for (const boost::json::value& scope : from.at("scopeSpans").as_array()) {
      for (const boost::json::value& span : scope.at("spans").as_array()) {
        Span& out = spans.emplace_back();
        out.service = of["service.name"];
        out.trace = std::string(span.at("traceId").as_string());
        out.id = std::string(span.at("spanId").as_string());
        if (const boost::json::value* parent = span.as_object().if_contains("parentSpanId")) {
          out.parent = std::string(parent->as_string());
        }
        out.name = std::string(span.at("name").as_string());
        out.kind = static_cast<int>(span.at("kind").as_int64());
        out.begin = std::stoll(std::string(span.at("startTimeUnixNano").as_string()));
        out.end = std::stoll(std::string(span.at("endTimeUnixNano").as_string()));
        out.failed = span.at("status").as_object().contains("code");
        for (const boost::json::value& each : span.at("attributes").as_array()) {
          out.attributes[std::string(each.at("key").as_string())] = text_of(each.at("value"));
        }
      }
    }
  }
  return spans;
}

/// A collector of OTLP over HTTP.
struct Collector {
  explicit Collector(std::string answer = "200 OK")
      : server([answer](Turn& turn) { turn.answer("{}", "Content-Type: application/json\r\n", answer); }) {}

  std::string keys(const std::string& more) const {
    return "tracing: {endpoint: 'http://" + server.address() + "', " + more + "}\n";
  }
  /// All spans so far, once they are `enough`.
  template <class Enough>
  std::vector<Span> await(Enough enough) {
    std::vector<Span> spans;
    const bool came = eventually([&] {
      spans.clear();
      for (const Upstream::Seen& seen : server.seen()) {
        if (seen.body.empty()) continue;  // being received
        for (Span& span : decode(seen.body, &resource)) spans.push_back(std::move(span));
      }
      return enough(spans);
    });
    CHECK(came);
    return spans;
  }
  /// All spans so far, once there are `count`.
  std::vector<Span> await_spans(std::size_t count) {
    std::vector<Span> spans = await([count](const std::vector<Span>& so_far) { return so_far.size() >= count; });
    CHECK(spans.size() == count);
    return spans;
  }

  Upstream server;
  std::map<std::string, std::string> resource;
};

inline const Span& of_kind(const std::vector<Span>& spans, int kind) {
  for (const Span& span : spans) {
    if (span.kind == kind) return span;
  }
  FAIL("no span of this kind");
  return spans.front();
}

inline constexpr int kInternal = 1, kServer = 2, kClient = 3;
inline const std::string kTrace = "4bf92f3577b34da6a3ce929d0e0e4736", kCaller = "00f067aa0ba902b7";

/// The field that continues that trace.
inline std::string parent(const std::string& flags) {
  return "traceparent: 00-" + kTrace + "-" + kCaller + "-" + flags + "\r\n";
}

}  // namespace spillway::test
