#pragma once

#include <string_view>

#include "proxy/http/message.hpp"

namespace spillway::http {

/// Parses one whole head (as the gate delimited it) with llhttp in strict mode and checks its
/// meaning: see check.hpp. On a violation `head` holds nothing worth reading.
Violation parse_request(std::string_view bytes, const HeadLimits& limits, RequestHead& head);

/// The same for a response to a request whose method was HEAD (`to_head`) or another.
Violation parse_response(std::string_view bytes, const HeadLimits& limits, bool to_head, ResponseHead& head);

}  // namespace spillway::http
