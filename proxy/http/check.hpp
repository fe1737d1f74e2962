#pragma once

#include <string_view>

#include "proxy/http/message.hpp"

namespace spillway::http {

/// The meaning of a request whose syntax is sound: Host and target, framing, `Connection` and what it nominates,
/// expectations, upgrades (RFC 9110 and 9112; tests name the section of each rule). `head` comes with `method`,
/// `target` (as sent), `minor` and `fields`; everything else in it is found here.
Violation check_request(const HeadLimits& limits, RequestHead& head);

/// The same for a response. `head` comes with `status`, `reason`, `minor` and `fields`.
Violation check_response(bool to_head, ResponseHead& head);

}  // namespace spillway::http
