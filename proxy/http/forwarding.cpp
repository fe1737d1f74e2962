#include "proxy/http/forwarding.hpp"

#include <algorithm>

namespace spillway::http {

namespace {

/// A trace id stands here in a traceparent: behind 2 digits of version and a dash, 32 digits.
constexpr std::size_t kTraceIdAt = 3;
constexpr std::size_t kTraceIdSize = 32;

bool same_trace(std::string_view one, std::string_view other) {
  return one.size() > kTraceIdAt + kTraceIdSize && other.size() > kTraceIdAt + kTraceIdSize &&
         equals_ignoring_case(one.substr(kTraceIdAt, kTraceIdSize), other.substr(kTraceIdAt, kTraceIdSize));
}

}  // namespace

/// A name of its length is nothing that stands in another one by chance.
bool has_passed(const RequestHead& head, std::string_view pseudonym) {
  if (!head.has(FieldName::via)) return false;
  return std::ranges::any_of(head.fields, [&](const Field& field) {
    return field.id == FieldName::via && field.value.find(pseudonym) != std::string_view::npos;
  });
}

bool detail::passes(const Field& field, const RequestHead& head, const Forwarding& forwarding) {
  switch (field.id) {
    case FieldName::via:
      return false;  // `put_via` writes it
    case FieldName::spillway_pressure:
      return false;  // only the proxy knows it
    case FieldName::x_client_cert_fingerprint:
    case FieldName::x_client_cert_subject:
      return false;  // whoever sends it, only the proxy has seen the handshake
    case FieldName::x_forwarded_for:
      return forwarding.trusted_peer && forwarding.client_address.empty();
    case FieldName::x_forwarded_host:
    case FieldName::x_forwarded_proto:
      return forwarding.trusted_peer;
    case FieldName::forwarded:
      return forwarding.trusted_peer && !forwarding.emit_forwarded;
    case FieldName::x_request_timeout:
      return !forwarding.time_left;
    case FieldName::tracestate:
      return same_trace(head.field("traceparent"), forwarding.traceparent);
    case FieldName::max_forwards:
      return !head.max_forwards;
    default:
      return true;
  }
}

}  // namespace spillway::http
