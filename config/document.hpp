#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/error.hpp"

/// YAML text as a tree of limited size, with the place of each node. It is built from the events of yaml-cpp, because
/// its nodes resolve aliases and repeated keys, which then cannot be counted or reported.
namespace config {

// A real configuration has some hundred nodes in a few KiB. With these limits the worst known text (each byte opens a
// flow sequence) takes about 20 ms and 20 MiB.
inline constexpr std::size_t kMaxFileBytes = 64 * 1024;
inline constexpr std::size_t kMaxNodes = 10'000;  ///< each use of an alias counts
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
  std::string text;                                ///< of a scalar, with quotes and escapes resolved
  std::vector<std::shared_ptr<const Node>> items;  ///< list
  std::vector<Entry> entries;                      ///< of a map; a repeated key is there more than once
  std::size_t weight = 1;                          ///< nodes in this tree
};

struct Document {
  std::shared_ptr<const Node> root;  ///< null: only white space and comments, or a fault
  Place place;                       ///< of the fault
  std::string fault;                 ///< empty: no fault
};

Document parse_document(std::string_view text);

/// The offset of the first invalid byte: invalid UTF-8, or a control byte other than tab and line break; npos if there
/// is none. (yaml-cpp would guess UTF-16, and would end the document at a byte 0x04.)
std::size_t find_unfit_byte(std::string_view text);

/// Names the first blank that looks like a space but is none, such as `a no-break space (U+00A0)`; empty if there is
/// none.
std::string name_of_blank(std::string_view text);

}  // namespace config
