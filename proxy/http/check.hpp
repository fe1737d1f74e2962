#pragma once

#include "proxy/http/message.hpp"

namespace spillway::http {

/// Checks the meaning of a request whose syntax is valid: Host and target, framing, `Connection` and the fields it
/// names, expectations, upgrades (RFC 9110 and 9112; the tests name the section of each rule). The caller sets
/// `method`, `target` (as sent), `minor` and `fields` of `head`; this sets the rest.
Violation check_request(const HeadLimits& limits, RequestHead& head);

/// The same for a response. The caller sets `status`, `reason`, `minor` and `fields`. `to_head`: it answers a HEAD.
Violation check_response(bool to_head, ResponseHead& head);

}  // namespace spillway::http
