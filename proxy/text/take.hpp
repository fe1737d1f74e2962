#pragma once

#include <algorithm>
#include <string_view>

namespace text {

/// Removes the part before the next `delimiter` from `rest`, and the delimiter, and returns the part. Without a
/// delimiter that is all of it.
inline std::string_view take_until(std::string_view& rest, char delimiter) {
  const std::size_t size = std::min(rest.find(delimiter), rest.size());
  const std::string_view part = rest.substr(0, size);
  rest.remove_prefix(std::min(size + 1, rest.size()));
  return part;
}

}  // namespace text
