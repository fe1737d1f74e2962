#pragma once

#include <bit>
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

template <class Part>
Word part(const char* from) {
  Part some{};
  std::memcpy(&some, from, sizeof some);
  return some;
}

inline Word load(const char* from) {
  return part<Word>(from);
}

/// The first `size` octets, fewer than a word has; in place of the others those of `rest`. Two loads that overlap take
/// less than a copy whose length is known only when it runs.
inline Word load(const char* from, std::size_t size, Word rest = 0) {
  static_assert(std::endian::native == std::endian::little);
  constexpr std::size_t kBits = 8;
  if (size == 0) return rest;
  Word word = 0;
  if (size >= sizeof(std::uint32_t)) {
    word = part<std::uint32_t>(from) | part<std::uint32_t>(from + size - sizeof(std::uint32_t))
                                           << kBits * (size - sizeof(std::uint32_t));
  } else if (size >= sizeof(std::uint16_t)) {
    word = part<std::uint16_t>(from) | part<std::uint16_t>(from + size - sizeof(std::uint16_t))
                                           << kBits * (size - sizeof(std::uint16_t));
  } else {
    word = part<std::uint8_t>(from);
  }
  return word | rest >> kBits * size << kBits * size;
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

/// Octets that `copy_lower` may write behind the text.
inline constexpr std::size_t kBehindCopy = detail::kWord;

/// Copies a text with its ASCII letters in lower case. Returns its end. What lies behind that, up to `kBehindCopy`
/// octets, is overwritten.
inline char* copy_lower(std::string_view text, char* to) {
  const char* from = text.data();
  std::size_t left = text.size();
  for (; left >= detail::kWord; from += detail::kWord, to += detail::kWord, left -= detail::kWord) {
    const detail::Word word = detail::lower(detail::load(from));
    std::memcpy(to, &word, sizeof word);
  }
  const detail::Word last = detail::lower(detail::load(from, left));
  std::memcpy(to, &last, sizeof last);
  return to + left;
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
