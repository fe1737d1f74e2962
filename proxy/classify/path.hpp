#pragma once

#include <string>
#include <string_view>

namespace spillway::classify {

/// Nothing in the path that any server would read in another way than it is written: no escape, no parameter, no
/// empty segment, no segment that ends in a dot. The case of most requests.
bool is_plain(std::string_view path);

/// The two ends of what servers make of a path. Some route by its bytes; others decode it once, twice or until nothing
/// is left to decode, take `\` for `/`, cut `;parameters`, `?` and trailing dots, merge slashes and resolve dot
/// segments, and most do some of that. Without dot segments, whatever a server does on the way from one end to the
/// other keeps what both ends begin with.
struct Readings {
  std::string literal;   ///< as it is written, escapes in upper case
  std::string resolved;  ///< everything decoded, cut, merged and resolved
  /// A dot segment that some servers see and others do not, or bytes that are read in more ways than two: the request
  /// may be for any path.
  bool anything = false;
};

/// `path` begins with a slash.
Readings read_path(std::string_view path);

/// `path` with unreserved escapes decoded and the others in upper case, which means the same (RFC 3986, 6.2.2).
std::string unescaped(std::string_view path);

}  // namespace spillway::classify
