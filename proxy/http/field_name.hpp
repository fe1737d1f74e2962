#pragma once

#include <cstdint>
#include <string_view>

namespace spillway::http {

/// Field names that the proxy handles. The check of a head looks each name up once; later stages use the result.
enum class FieldName : std::uint8_t {
  other,
  connection,
  content_length,
  date,
  endpoint_load_metrics,
  expect,
  forwarded,
  host,
  http2_settings,
  keep_alive,
  max_forwards,
  proxy_authenticate,
  proxy_authorization,
  proxy_connection,
  spillway_pressure,
  te,
  traceparent,
  tracestate,
  trailer,
  transfer_encoding,
  upgrade,
  via,
  x_client_cert_fingerprint,
  x_client_cert_subject,
  x_forwarded_for,
  x_forwarded_host,
  x_forwarded_proto,
  x_request_id,
  x_request_timeout,
};

/// The value for `name`, compared without case; `other` for an unknown name. `name` holds no control bytes.
FieldName field_name(std::string_view name);

/// Whether a field is hop-by-hop: it concerns one connection only and is never forwarded, whether `Connection` names it
/// or not (RFC 9110, section 7.6.1). The Proxy-* fields are, since they are addressed to this proxy.
bool is_hop_by_hop(FieldName name);

}  // namespace spillway::http
