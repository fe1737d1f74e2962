#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

/// Octets of a text, eight at a time: every name and value of a request passes here.
namespace text {

namespace detail {
using Word = std::uint64_t;
constexpr std::size_t kWord = sizeof(Word);
constexpr Word kEach = 0x0101010101010101;
constexpr Word kTop = 0x80 * kEach;
constexpr Word kSpaces = ' ' * kEach;

/// The first `size` octets; in place of the others those of `rest`.
inline Word load(const char* from, std::size_t size = kWord, Word rest = 0) {
  if (size > 0) std::memcpy(&rest, from, size);
  return rest;
}

/// ASCII letters in lower case. A sum does not reach the next octet: none exceeds 0x7f + 0x7f.
constexpr Word lower(Word word) {
  const Word ascii = word & ~kTop;
  const Word from_a = ascii + (0x80 - 'A') * kEach;
  const Word behind_z = ascii + (0x7f - 'Z') * kEach;
  return word | ((from_a ^ behind_z) & ~word & kTop) >> 2;
}

/// Not 0 if an octet is below 0x20, or 0x7f.
constexpr Word controls(Word word) {
  const Word ascii = word & ~kTop;
  const Word below_space = ~(ascii + (0x80 - ' ') * kEach);
  const Word is_delete = ascii + kEach;
  return (below_space | is_delete) & ~word & kTop;
}
}  // namespace detail

/// Makes ASCII letters lower case.
inline void make_lower(char* text, std::size_t size) {
  for (; size >= detail::kWord; text += detail::kWord, size -= detail::kWord) {
    const detail::Word word = detail::lower(detail::load(text));
    std::memcpy(text, &word, sizeof word);
  }
  const detail::Word last = detail::lower(detail::load(text, size));
  if (size > 0) std::memcpy(text, &last, size);
}

/// Equality without regard to the case of ASCII letters; `lower` has none in upper case.
inline bool equals_lower(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  const char *a = text.data(), *b = lower.data();
  std::size_t left = text.size();
  for (; left >= detail::kWord; a += detail::kWord, b += detail::kWord, left -= detail::kWord) {
    if (detail::lower(detail::load(a)) != detail::load(b)) return false;
  }
  return detail::lower(detail::load(a, left)) == detail::load(b, left);
}

/// Whether a control byte other than a tab is among them.
inline bool has_control(std::string_view text) {
  const char* from = text.data();
  std::size_t left = text.size();
  detail::Word found = 0;
  for (; left >= detail::kWord; from += detail::kWord, left -= detail::kWord)
    found |= detail::controls(detail::load(from));
  found |= detail::controls(detail::load(from, left, detail::kSpaces));
  if (found == 0) return false;
  for (const char c : text) {  // it may be a tab
    const auto octet = static_cast<unsigned char>(c);
    if ((octet < 0x20 && octet != '\t') || octet == 0x7f) return true;
  }
  return false;
}

}  // namespace text
