#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/error.hpp"

/// YAML text as a tree with places, within bounds. Built from yaml-cpp's events and not from its own nodes: those
/// resolve aliases and repeated keys before anyone could count or report them.
namespace config {

// A configuration in use has some hundred nodes in a few KiB. The bounds keep the worst text that was found
// (one flow sequence opened per byte) near 20 ms and 20 MiB.
inline constexpr std::size_t kMaxFileBytes = 64 * 1024;
inline constexpr std::size_t kMaxNodes = 10'000;  ///< aliases count as often as they are used
inline constexpr int kMaxDepth = 16;
inline constexpr int kMaxAliases = 100;

struct Node {
  enum class Kind { null, scalar, list, map };
  struct Entry {
    std::string key;
    Place place;  ///< of the key
    std::shared_ptr<const Node> value;
  };

  Kind kind = Kind::null;
  Place place;
  std::string text;                                ///< scalar, as written (quotes and escapes resolved)
  std::vector<std::shared_ptr<const Node>> items;  ///< list
  std::vector<Entry> entries;                      ///< map; a repeated key appears repeatedly
  std::size_t weight = 1;                          ///< nodes in this tree
};

struct Document {
  std::shared_ptr<const Node> root;  ///< null: nothing but white space and comments, or a fault
  Place place;                       ///< of the fault
  std::string fault;                 ///< empty: none
};

Document parse_document(std::string_view text);

/// Where the first byte stands that a text must not have: invalid UTF-8 or a control byte other than tab and line
/// break. npos: nowhere. (yaml-cpp would read UTF-16 by guess and end the document at a byte 0x04.)
std::size_t find_unfit_byte(std::string_view text);

}  // namespace config
