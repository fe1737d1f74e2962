#include "proxy/classify/path.hpp"

#include <algorithm>
#include <array>

#include "proxy/text/hex.hpp"

namespace spillway::classify {

namespace {

char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}

bool unreserved(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

/// The byte that the escape at `at` stands for, or -1.
int escape_at(std::string_view text, std::size_t at) {
  if (text[at] != '%' || text.size() - at < 3) return -1;
  const int high = text::hex_value(text[at + 1]), low = text::hex_value(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/// Decodes the escapes of characters that `decoded` accepts, and writes the other escapes in upper case.
template <class Decoded>
std::string rewritten(std::string_view path, Decoded decoded) {
  std::string result;
  result.reserve(path.size());
  for (std::size_t i = 0; i < path.size(); ++i) {
    const int byte = escape_at(path, i);
    if (byte < 0) {
      result += path[i];
    } else if (decoded(static_cast<char>(byte))) {
      result += static_cast<char>(byte);
      i += 2;
    } else {
      result += {'%', upper(path[i + 1]), upper(path[i + 2])};
      i += 2;
    }
  }
  return result;
}

/// Characters that Unicode's compatibility mapping or a "best fit" code page turns into dots and slashes.
constexpr std::array<std::string_view, 9> kLookAlikes = {
    "\xE2\x80\xA4", "\xE2\x80\xA5", "\xE2\x80\xA6",  // one, two, three dot leader
    "\xE2\x81\x84", "\xE2\x88\x95", "\xE2\x88\x96",  // fraction slash, division slash, set minus
    "\xEF\xBC\x8E", "\xEF\xBC\x8F", "\xEF\xBC\xBC",  // full-width full stop, solidus, reverse solidus
};

/// Whether a path holds bytes that servers read in many ways: control bytes, at which some servers cut the path or
/// which they drop; overlong UTF-8, which can hide dots and slashes; `%u002E`, an escape of IIS.
bool has_disguise(std::string_view decoded) {
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const auto byte = static_cast<unsigned char>(decoded[i]);
    const auto next = static_cast<unsigned char>(i + 1 < decoded.size() ? decoded[i + 1] : 0);
    if (byte < 0x20 || byte == 0x7F) return true;
    if (byte == 0xC0 || byte == 0xC1) return true;
    if ((byte == 0xE0 && next >= 0x80 && next < 0xA0) || (byte == 0xF0 && next >= 0x80 && next < 0x90)) return true;
    if (byte == '%' && (next == 'u' || next == 'U')) return true;
  }
  return std::any_of(kLookAlikes.begin(), kLookAlikes.end(),
                     [decoded](std::string_view each) { return decoded.find(each) != std::string_view::npos; });
}

std::ptrdiff_t delimiters(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return std::string_view("/\\;?#").find(c) != std::string_view::npos; });
}

/// A segment without its parameters and without dots and spaces at its end, which Windows drops.
std::string_view bare(std::string_view segment) {
  segment = segment.substr(0, segment.find_first_of(";?#"));
  return segment.substr(0, segment.find_last_not_of(". ") + 1);
}

/// Whether some server takes a segment for a dot segment: it has only dots and spaces, and at least one dot.
bool is_dots(std::string_view segment) {
  segment = segment.substr(0, segment.find_first_of(";?#"));
  return segment.find('.') != std::string_view::npos && segment.find_first_not_of(". ") == std::string_view::npos;
}

}  // namespace

std::string decoded_once(std::string_view text) {
  return rewritten(text, [](char) { return true; });
}

/// One pass is enough: a decoded byte may complete another escape, which is decoded at once.
std::string fully_decoded(std::string_view path) {
  std::string result;
  result.reserve(path.size());
  for (const char c : path) {
    result += c;
    while (result.size() >= 3) {
      const int byte = escape_at(result, result.size() - 3);
      if (byte < 0) break;
      result.resize(result.size() - 3);
      result += static_cast<char>(byte);
    }
  }
  return result;
}

bool is_plain(std::string_view path) {
  char previous = '\0';
  for (const char c : path) {
    if (c == '%' || c == ';' || c == '\\') return false;
    if (c == '/' && (previous == '/' || previous == '.')) return false;
    previous = c;
  }
  return previous != '.';
}

Readings read_path(std::string_view path) {
  Readings readings;
  readings.literal = rewritten(path, [](char) { return false; });
  const std::string decoded = fully_decoded(path);

  std::string& resolved = readings.resolved;
  resolved.reserve(decoded.size());
  bool dots = false, odd_dots = false, open = false, cut = false;  // open: ends in a slash
  for (std::size_t begin = 0; begin < decoded.size();) {
    const std::size_t end = std::min(decoded.find_first_of("/\\", begin), decoded.size());
    const std::string_view segment = std::string_view(decoded).substr(begin, end - begin);
    begin = end + 1;
    const bool last = end == decoded.size();
    if (is_dots(segment)) {
      dots = true;
      odd_dots = odd_dots || (segment != "." && segment != "..");
      if (segment == "..") resolved.resize(resolved.empty() ? 0 : resolved.rfind('/'));
      open = true;
    } else if (!cut) {
      const std::string_view name = bare(segment);
      if (!name.empty()) resolved.append("/").append(name);
      open = name.empty() || !last;
    }
    cut = cut || segment.find_first_of("?#") != std::string_view::npos;
  }
  if (open) resolved += '/';

  // Dot segments in an otherwise plain path are read in two ways: resolved or not. Otherwise in more ways.
  const bool company =
      path.find_first_of("%;\\") != std::string_view::npos || path.find("//") != std::string_view::npos;
  // Servers cut parameters before or after decoding, with different results.
  const bool hiding = decoded.find(';') != std::string::npos && delimiters(decoded) > delimiters(path);
  readings.anything = odd_dots || (dots && company) || hiding || has_disguise(decoded);
  return readings;
}

std::string unescaped(std::string_view path) {
  return rewritten(path, unreserved);
}

}  // namespace spillway::classify
