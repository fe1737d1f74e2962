#pragma once

#include <string_view>

#include "proxy/http/head_limits.hpp"

namespace spillway::http {

/// Whether `method`, a token, is forwarded (else 501). With `limits.any_method` each is that has at most 32 letters and
/// is not CONNECT, TRACE or HEAD in other letters: a server that ignores case would answer otherwise. Without, those of
/// the IANA registry and of WebDAV are that llhttp knows.
bool is_served_method(std::string_view method, const HeadLimits& limits);

/// Whether llhttp knows it.
bool is_known_method(std::string_view method);

}  // namespace spillway::http
