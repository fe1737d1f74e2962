#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace api {

/// Well-formed UTF-8 (Unicode 15, table 3-7): no overlong forms, no surrogates, nothing above U+10FFFF.
bool valid_utf8(std::string_view text);

/// Code points of valid UTF-8, as JSON Schema counts them.
std::size_t count_characters(std::string_view text);

/// A copy with U+FFFD in place of each byte that belongs to nothing well-formed.
std::string to_valid_utf8(std::string_view text);

}  // namespace api
