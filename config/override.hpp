#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/document.hpp"

/// Values from the command line, which replace those of the file before it is read. So they meet the same checks.
namespace config {

/// One value: `--set limits.body=1MiB`.
struct Override {
  std::string flag;  ///< what errors name instead of a file, such as `--set limits.body`
  std::string path;  ///< `upstream.address`, `classes[0].shed_at`; the index behind the last element adds one
  std::string value;
  bool yaml = true;  ///< the value may be a YAML list or section; false: it is a text, whatever it looks like
};

/// The place of the override with this index; see Place.
constexpr Place place_of_override(std::size_t index) {
  return {.line = 0, .column = static_cast<int>(index) + 1};
}

struct Overridden {
  std::shared_ptr<const Node> root;
  std::string fault;  ///< why the override cannot be applied; empty: it is
};

/// A copy of the tree with the value of one override; `root` may be null. Sections that lack are added, and whatever
/// stands at the path is replaced.
Overridden with_override(const std::shared_ptr<const Node>& root, const Override& override, Place place);

}  // namespace config
