#pragma once

#include <cstddef>
#include <string_view>

/// UTF-8 as Unicode 15, table 3-7, has it: no overlong forms, no surrogates, nothing above U+10FFFF.
namespace text {

/// Bytes of the sequence at the start of `text`; 0 when there is no valid one. `text` is not empty.
std::size_t utf8_length(std::string_view text);

bool valid_utf8(std::string_view text);

}  // namespace text
