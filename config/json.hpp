#pragma once

#include <string>
#include <string_view>

namespace config {

/// A JSON string with its quotes; also a valid YAML double-quoted scalar. `text` is valid UTF-8.
std::string json_quoted(std::string_view text);

}  // namespace config
