#include "proxy/http/field_name.hpp"

#include <array>

#include "proxy/http/message.hpp"

namespace spillway::http {

namespace {

struct Known {
  std::string_view name;
  FieldName id;
};

// Ordered by length: a lookup compares only with the few names of its own length.
constexpr Known kKnown[] = {
    {"te", FieldName::te},
    {"via", FieldName::via},
    {"date", FieldName::date},
    {"host", FieldName::host},
    {"expect", FieldName::expect},
    {"trailer", FieldName::trailer},
    {"upgrade", FieldName::upgrade},
    {"forwarded", FieldName::forwarded},
    {"connection", FieldName::connection},
    {"keep-alive", FieldName::keep_alive},
    {"tracestate", FieldName::tracestate},
    {"traceparent", FieldName::traceparent},
    {"max-forwards", FieldName::max_forwards},
    {"x-request-id", FieldName::x_request_id},
    {"content-length", FieldName::content_length},
    {"http2-settings", FieldName::http2_settings},
    {"x-forwarded-for", FieldName::x_forwarded_for},
    {"x-forwarded-host", FieldName::x_forwarded_host},
    {"proxy-connection", FieldName::proxy_connection},
    {"transfer-encoding", FieldName::transfer_encoding},
    {"x-forwarded-proto", FieldName::x_forwarded_proto},
    {"spillway-pressure", FieldName::spillway_pressure},
    {"x-request-timeout", FieldName::x_request_timeout},
    {"proxy-authenticate", FieldName::proxy_authenticate},
    {"proxy-authorization", FieldName::proxy_authorization},
    {"endpoint-load-metrics", FieldName::endpoint_load_metrics},
    {"x-client-cert-subject", FieldName::x_client_cert_subject},
    {"x-client-cert-fingerprint", FieldName::x_client_cert_fingerprint},
};
constexpr std::size_t kLongest = kKnown[std::size(kKnown) - 1].name.size();

// kFirst[n] is the first entry of length n or more.
constexpr auto kFirst = [] {
  std::array<std::uint8_t, kLongest + 2> first{};
  for (std::size_t length = 0; length < first.size(); ++length) {
    std::uint8_t entry = 0;
    while (entry < std::size(kKnown) && kKnown[entry].name.size() < length) ++entry;
    first[length] = entry;
  }
  return first;
}();

}  // namespace

FieldName field_name(std::string_view name) {
  if (name.empty() || name.size() > kLongest) return FieldName::other;
  const char first = to_lower(name.front());
  for (std::size_t i = kFirst[name.size()]; i < kFirst[name.size() + 1]; ++i) {
    if (first == kKnown[i].name.front() && equals_lower(name, kKnown[i].name)) return kKnown[i].id;
  }
  return FieldName::other;
}

bool is_hop_by_hop(FieldName name) {
  switch (name) {
    case FieldName::connection:
    case FieldName::http2_settings:
    case FieldName::keep_alive:
    case FieldName::proxy_authenticate:
    case FieldName::proxy_authorization:
    case FieldName::proxy_connection:
    case FieldName::te:
    case FieldName::trailer:
    case FieldName::transfer_encoding:
    case FieldName::upgrade:
      return true;
    default:
      return false;
  }
}

}  // namespace spillway::http
