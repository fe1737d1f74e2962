#pragma once

#include <cstdint>
#include <string_view>

namespace spillway::http {

/// Field names that mean something to the proxy. A head looks each name up once, while it is checked;
/// whoever writes the head anew goes by the result.
enum class FieldName : std::uint8_t {
  other,
  connection,
  content_length,
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
  te,
  traceparent,
  tracestate,
  trailer,
  transfer_encoding,
  upgrade,
  via,
  x_forwarded_for,
  x_forwarded_host,
  x_forwarded_proto,
  x_request_id,
  x_request_timeout,
};

/// The known name that `name` spells in any case; `other` for the rest. `name` holds no control bytes.
FieldName field_name(std::string_view name);

/// Whether the field concerns one connection only and is never passed on, named by `Connection` or not
/// (RFC 9110, section 7.6.1; the proxy fields because no proxy beyond this one is addressed).
bool is_hop_by_hop(FieldName name);

}  // namespace spillway::http
