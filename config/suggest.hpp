#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace config {

/// The name that `written` is most likely a slip of, by edit distance (a swap of neighbours counts once);
/// empty when none is near: more than a third of the letters differ.
std::string nearest(std::string_view written, const std::vector<std::string>& names);

}  // namespace config
