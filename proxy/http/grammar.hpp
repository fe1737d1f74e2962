#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace spillway::http {

/// Classes of octets (RFC 9110, section 5.6.2; RFC 3986, section 3.3).
enum OctetClass : std::uint8_t {
  kToken = 1,       ///< tchar
  kNameChar = 2,    ///< tchar without the underscore: a field name consists of these by default
  kTargetChar = 4,  ///< visible ASCII but `#`: what a request target may hold
  kHostChar = 8,    ///< letters, digits, `-`, `.`, `_`, `~`: a reg-name without escapes and sub-delimiters
  kVisible = 16,    ///< visible ASCII
  kDigit = 32,
};

namespace detail {
constexpr bool is_alpha(unsigned c) {
  return (c | 0x20u) >= 'a' && (c | 0x20u) <= 'z';
}
constexpr bool is_digit(unsigned c) {
  return c >= '0' && c <= '9';
}

constexpr std::array<std::uint8_t, 256> classify_octets() {
  std::array<std::uint8_t, 256> table{};
  for (unsigned c = 0x21; c < 0x7f; ++c) {
    const char octet = static_cast<char>(c);
    const bool alnum = is_alpha(c) || is_digit(c);
    const bool token = alnum || std::string_view("!#$%&'*+-.^_`|~").find(octet) != std::string_view::npos;
    const bool host = alnum || std::string_view("-._~").find(octet) != std::string_view::npos;
    unsigned bits = kVisible;
    if (token) bits |= kToken;
    if (token && octet != '_') bits |= kNameChar;
    if (octet != '#') bits |= kTargetChar;
    if (host) bits |= kHostChar;
    if (is_digit(c)) bits |= kDigit;
    table[c] = static_cast<std::uint8_t>(bits);
  }
  return table;
}
}  // namespace detail

inline constexpr std::array<std::uint8_t, 256> kOctets = detail::classify_octets();

inline bool is_octet(char c, OctetClass wanted) {
  return (kOctets[static_cast<unsigned char>(c)] & wanted) != 0;
}

/// The classes that all octets of `text` have in common; every class for an empty text.
inline unsigned common_classes(std::string_view text) {
  unsigned bits = 0xff;
  for (const char c : text) bits &= kOctets[static_cast<unsigned char>(c)];
  return bits;
}

inline bool is_token(std::string_view text) {
  return !text.empty() && (common_classes(text) & kToken) != 0;
}

inline bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

/// `text` without the optional white space (SP, HTAB) around it.
inline std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

/// Reads 1*DIGIT of at most `max_digits` digits (19 or fewer, so that the number always fits).
std::optional<std::uint64_t> parse_decimal(std::string_view text, std::size_t max_digits);

/// `uri-host [ ":" port ]` as a `Host` field or an absolute-form target may carry it (RFC 9110, section 7.2).
/// Stricter than the grammar: no escapes, sub-delimiters, empty labels, port 0 or IPvFuture.
bool is_authority(std::string_view text);

/// `authority` without the colon of an empty port, which means the same (RFC 3986, section 6.2.3).
inline std::string_view without_empty_port(std::string_view authority) {
  if (authority.ends_with(':')) authority.remove_suffix(1);
  return authority;
}

/// Whether a path has no `\`, and two hexadecimal digits behind each `%` (RFC 3986, sections 2.1 and 3.3).
bool is_sound_path(std::string_view path);

/// Takes the next non-empty element off a comma-separated list (RFC 9110, section 5.6.1); empty at its end.
std::string_view next_element(std::string_view& list);

}  // namespace spillway::http
