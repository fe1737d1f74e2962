#pragma once

#include <string_view>

#include "proxy/http/message.hpp"

namespace spillway::http {

/// Parses one whole head, as HeadScanner found its end, with llhttp in strict mode, and checks its meaning (check.hpp).
/// On a violation `head` is undefined.
Violation parse_request(std::string_view bytes, const HeadLimits& limits, RequestHead& head);

/// The same for a response. `to_head`: it answers a HEAD.
Violation parse_response(std::string_view bytes, bool to_head, ResponseHead& head);

}  // namespace spillway::http
