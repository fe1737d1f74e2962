#pragma once

#include <string>
#include <string_view>

namespace spillway::classify {

/// Whether every server reads the path as it is written: it has no escape, no parameter, no empty segment, and no
/// segment that ends in a dot. True for most requests.
bool is_plain(std::string_view path);

/// The two extremes of how servers read a path. Some route by its bytes. Others decode it once, twice or until no
/// escape is left, read `\` as `/`, cut `;parameters`, `?` and trailing dots, merge slashes and resolve dot segments;
/// most do only some of that. Without dot segments, each reading in between begins with whatever both extremes begin
/// with.
struct Readings {
  std::string literal;   ///< as written, with escapes in upper case
  std::string resolved;  ///< everything decoded, cut, merged and resolved
  /// The request may be for any path: only some servers see a dot segment in it, or it has bytes that servers read in
  /// more than two ways.
  bool anything = false;
};

/// `path` begins with a slash.
Readings read_path(std::string_view path);

/// `text` with every escape decoded once.
std::string decoded_once(std::string_view text);

/// `text` decoded until no escape is left.
std::string fully_decoded(std::string_view text);

/// `path` with unreserved escapes decoded and the others in upper case, which means the same (RFC 3986, 6.2.2).
std::string unescaped(std::string_view path);

}  // namespace spillway::classify
