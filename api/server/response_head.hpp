#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "api/db/pool_policy.hpp"
#include "api/endpoints/http.hpp"

namespace api {

/// Whether the connection stays open after the response. HTTP/1.0 expects to be told so.
enum class Keep : std::uint8_t { no, yes, told };

/// A response with this status has no body (RFC 9110, 6.4.1).
constexpr bool bodiless(int status) {
  return status == 204 || status == 304;
}

/// Appends the head of `response` as HTTP/1.1, with the id of its request and the load report. The body is for the
/// caller to send.
void append_head(std::string& head, const Response& response, Keep keep, const db::PoolGauges& gauges,
                 std::string_view request_id);

}  // namespace api
