#pragma once

#include <string_view>

namespace text {

/// The reason phrase of a status code, as RFC 9110 and RFC 6585 name it; `Unknown` for others.
std::string_view status_phrase(int status);

}  // namespace text
