#include "proxy/tracing/otlp.hpp"

#include <charconv>

#include "proxy/text/json.hpp"

namespace spillway::tracing {

namespace {

using text::JsonWriter;

/// Values of the enumerations `Span.SpanKind` and `Status.StatusCode`.
enum Kind : int { kInternal = 1, kServer = 2, kClient = 3 };
constexpr int kError = 2;
constexpr int kMilliseconds = 3;  ///< decimals of durations in milliseconds

template <std::size_t size>
std::string_view view(const std::array<char, size>& id) {
  return {id.data(), id.size()};
}

/// A list of attributes; texts without content and numbers that are 0 are left out.
class Attributes {
 public:
  explicit Attributes(JsonWriter& json) : json_(json) { json_.key("attributes").begin_array(); }
  ~Attributes() { json_.end_array(); }
  Attributes(const Attributes&) = delete;

  void add(std::string_view key, std::string_view value) {
    if (!value.empty()) begin(key).member("stringValue", value).end_object().end_object();
  }
  /// Integers are strings in JSON, so that none loses digits.
  void add(std::string_view key, int value) {
    if (value != 0) begin(key).member("intValue", std::string_view(std::to_string(value))).end_object().end_object();
  }
  void add_milliseconds(std::string_view key, double value) {
    begin(key).member("doubleValue", value, kMilliseconds).end_object().end_object();
  }
  /// `host:port`, `[v6]:port` or `unix:/path`.
  void add_server(std::string_view address) {
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

 private:
  JsonWriter& begin(std::string_view key) {
    return json_.begin_object().member("key", key).key("value").begin_object();
  }
  JsonWriter& json_;
};

std::string nanoseconds(Instant at) {
  return std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count());
}

void begin_span(JsonWriter& json, const Record& r, const SpanId& id, const SpanId* parent, std::string_view name,
                Kind kind, Instant began, Instant ended) {
  json.begin_object().member("traceId", view(r.trace)).member("spanId", view(id));
  if (parent != nullptr) json.member("parentSpanId", view(*parent));
  json.member("name", name).member("kind", int{kind});
  json.member("startTimeUnixNano", std::string_view(nanoseconds(began)));
  json.member("endTimeUnixNano", std::string_view(nanoseconds(ended)));
}

void end_span(JsonWriter& json, bool failed) {
  json.key("status").begin_object();
  if (failed) json.member("code", kError);
  json.end_object().end_object();
}

void write_request(JsonWriter& json, const Record& r) {
  begin_span(json, r, r.request, r.has_parent ? &r.parent : nullptr, r.method, kServer, r.began, r.ended);
  const bool failed = r.status == 0 || r.status >= 500;
  {
    Attributes attributes(json);
    attributes.add("http.request.method", r.method);
    attributes.add("url.path", r.path);
    attributes.add("url.scheme", r.scheme);
    attributes.add_server(r.host);
    attributes.add("client.address", r.client);
    attributes.add("user_agent.original", r.user_agent);
    attributes.add("network.protocol.version", std::string_view(r.protocol).substr(r.protocol.find('/') + 1));
    attributes.add("http.response.status_code", r.status);
    if (failed) attributes.add("error.type", r.reason.empty() ? std::to_string(r.status) : r.reason);
    attributes.add("spillway.class", r.class_name);
    attributes.add("spillway.reason", r.reason);
    const std::chrono::duration<double, std::milli> waited = r.wait_ended - r.wait_began;
    attributes.add_milliseconds("spillway.queue_ms", waited.count());
  }
  end_span(json, failed);
}

void write_wait(JsonWriter& json, const Record& r) {
  begin_span(json, r, r.wait, &r.request, "queue", kInternal, r.wait_began, r.wait_ended);
  Attributes(json).add("spillway.class", r.class_name);
  end_span(json, false);
}

void write_upstream(JsonWriter& json, const Record& r) {
  begin_span(json, r, r.upstream, &r.request, r.method, kClient, r.asked, r.answered);
  const bool failed = r.api_failed || r.upstream_status == 0 || r.upstream_status >= 400;
  {
    Attributes attributes(json);
    attributes.add("http.request.method", r.method);
    attributes.add_server(r.upstream_address);
    attributes.add("url.full", (r.upstream_secure ? "https://" : "http://") + r.host + r.path);
    attributes.add("http.response.status_code", r.upstream_status);
    attributes.add("http.request.resend_count", r.retries);
    if (failed) attributes.add("error.type", r.reason.empty() ? std::to_string(r.upstream_status) : r.reason);
  }
  end_span(json, failed);
}

}  // namespace

std::string otlp_json(std::span<const Record> records, const Resource& resource) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("resourceSpans").begin_array().begin_object().key("resource").begin_object();
  {
    Attributes attributes(json);
    attributes.add("service.name", resource.service);
    attributes.add("service.version", resource.version);
    attributes.add("service.instance.id", resource.instance);
  }
  json.end_object().key("scopeSpans").begin_array().begin_object().key("scope").begin_object();
  json.member("name", "spillway").member("version", std::string_view(resource.version)).end_object();
  json.key("spans").begin_array();
  for (const Record& record : records) {
    write_request(json, record);
    if (record.waited()) write_wait(json, record);
    if (record.was_sent()) write_upstream(json, record);
  }
  json.end_array().end_object().end_array().end_object().end_array().end_object();
  return out;
}

}  // namespace spillway::tracing
