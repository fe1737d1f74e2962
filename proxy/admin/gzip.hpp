#pragma once

#include <string>
#include <string_view>

namespace spillway::admin {

/// Whether a field `Accept-Encoding` allows gzip: named, or `*`, without `q=0` (RFC 9110, section 12.5.3).
bool accepts_gzip(std::string_view accept_encoding);

/// `text` in the gzip format (RFC 1952), compressed fast rather than small: a scrape must not cost much time.
std::string gzip(std::string_view text);

}  // namespace spillway::admin
