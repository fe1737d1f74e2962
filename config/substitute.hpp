#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace config {

/// Bytes a single `${file:…}` may bring in.
inline constexpr std::size_t kMaxSubstituteFileBytes = 64 * 1024;
/// Bytes all substitutions of one configuration may bring in.
inline constexpr std::size_t kMaxSubstitutedBytes = 1024 * 1024;

struct Substituted {
  std::string text;
  std::string error;        ///< empty: none
  bool referenced = false;  ///< the text comes from elsewhere and may hold a secret: not to be shown
};

/// Replaces `${env:NAME}` (must be set), `${env:NAME:-default}` (when unset or empty) and `${file:/path}` (without the
/// last line break) in the text of a scalar; `$${` stands for `${`. What is put in is not looked at again.
/// `budget` is what may still be put in, in bytes, and shrinks.
Substituted substitute(std::string_view text, std::size_t& budget);

/// The text that `substitute` turns into `text`.
std::string escape_substitution(std::string_view text);

/// Reads a regular file of at most `limit` bytes; of anything else `error` says why it is not read. Never waits:
/// opening a FIFO that nobody writes to would, and a device may have no end.
struct FileText {
  std::string text;
  std::string error;
};
FileText read_bounded(const std::string& path, std::size_t limit);

}  // namespace config
