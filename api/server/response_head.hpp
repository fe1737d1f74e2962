#pragma once

#include <cstdint>
#include <string>

#include "api/db/pool_policy.hpp"
#include "api/endpoints/http.hpp"

namespace api {

/// Whether the connection stays open after the response. HTTP/1.0 expects to be told so.
enum class Keep : std::uint8_t { no, yes, told };

/// Appends the head of `response` as HTTP/1.1, with the load report. The body is for the caller to send.
void append_head(std::string& head, const Response& response, Keep keep, const db::PoolGauges& gauges);

}  // namespace api
