#pragma once

#include <cstddef>
#include <string>
#include <string_view>

/// UTF-8 as Unicode 15, table 3-7, has it: no overlong forms, no surrogates, nothing above U+10FFFF.
namespace text {

/// Bytes of the well-formed sequence at the start of `text`; 0: there is none. `text` is not empty.
std::size_t utf8_length(std::string_view text);

bool valid_utf8(std::string_view text);

/// Whether no byte is above 0x7F.
bool is_ascii(std::string_view text);

/// Code points of valid UTF-8, as JSON Schema counts them.
std::size_t count_characters(std::string_view text);

/// Assigns at most `most` bytes from the front of `text`, with U+FFFD in place of each byte that belongs to nothing
/// well-formed. Of ASCII that costs a copy.
void keep_front(std::string& kept, std::string_view text, std::size_t most);

/// A copy with U+FFFD in place of each byte that belongs to nothing well-formed.
std::string to_valid_utf8(std::string_view text);

}  // namespace text
