#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

/// Octets of a text, eight at a time: every name and value of a request passes here.
namespace text {

namespace detail {
constexpr std::uint64_t kEach = 0x0101010101010101;
constexpr std::uint64_t kTop = 0x80 * kEach;

template <class Word = std::uint64_t>
Word load(const char* from) {
  Word word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

/// ASCII letters in lower case. A sum does not reach the next octet: none exceeds 0x7f + 0x7f.
constexpr std::uint64_t lower(std::uint64_t word) {
  const std::uint64_t ascii = word & ~kTop;
  const std::uint64_t from_a = ascii + (0x80 - 'A') * kEach;
  const std::uint64_t behind_z = ascii + (0x7f - 'Z') * kEach;
  return word | ((from_a ^ behind_z) & ~word & kTop) >> 2;
}

/// Not 0 if an octet is below 0x20, or 0x7f.
constexpr std::uint64_t controls(std::uint64_t word) {
  const std::uint64_t ascii = word & ~kTop;
  const std::uint64_t below_space = ~(ascii + (0x80 - ' ') * kEach);
  const std::uint64_t is_delete = ascii + kEach;
  return (below_space | is_delete) & ~word & kTop;
}
}  // namespace detail

/// Makes ASCII letters lower case.
inline void make_lower(char* text, std::size_t size) {
  const auto at = [text]<class Word>(Word, std::size_t from) {
    const auto word = static_cast<Word>(detail::lower(detail::load<Word>(text + from)));
    std::memcpy(text + from, &word, sizeof word);
  };
  if (size >= 8) {
    for (std::size_t from = 0; from + 8 < size; from += 8) at(std::uint64_t(), from);
    return at(std::uint64_t(), size - 8);  // some for the second time
  }
  if (size >= 4) return at(std::uint32_t(), 0), at(std::uint32_t(), size - 4);
  for (std::size_t from = 0; from < size; ++from) at(std::uint8_t(), from);
}

/// Equality without regard to the case of ASCII letters; `lower` has none in upper case.
inline bool equals_lower(std::string_view text, std::string_view lower) {
  const std::size_t size = text.size();
  if (size != lower.size()) return false;
  const char* const a = text.data();
  const char* const b = lower.data();
  if (size >= 8) {
    for (std::size_t at = 0; at + 8 < size; at += 8) {
      if (detail::lower(detail::load(a + at)) != detail::load(b + at)) return false;
    }
    return detail::lower(detail::load(a + size - 8)) == detail::load(b + size - 8);
  }
  if (size >= 4) {
    using Half = std::uint32_t;
    return detail::lower(detail::load<Half>(a)) == detail::load<Half>(b) &&
           detail::lower(detail::load<Half>(a + size - 4)) == detail::load<Half>(b + size - 4);
  }
  for (std::size_t at = 0; at < size; ++at) {
    if (detail::lower(static_cast<unsigned char>(a[at])) != static_cast<unsigned char>(b[at])) return false;
  }
  return true;
}

/// Whether a control byte other than a tab is among them.
inline bool has_control(std::string_view text) {
  using Half = std::uint32_t;
  constexpr std::uint64_t kSpaces = ' ' * detail::kEach;
  const char* const from = text.data();
  const std::size_t size = text.size();
  std::uint64_t found = 0;
  if (size >= 8) {
    for (std::size_t at = 0; at + 8 < size; at += 8) found |= detail::controls(detail::load(from + at));
    found |= detail::controls(detail::load(from + size - 8));
  } else if (size >= 4) {
    const std::uint64_t last = detail::load<Half>(from + size - 4);
    found = detail::controls(last << 32 | detail::load<Half>(from));
  } else if (size > 0) {
    const auto octet = [from](std::size_t at) { return std::uint64_t{static_cast<unsigned char>(from[at])}; };
    found = detail::controls(kSpaces << 24 | octet(size - 1) << 16 | octet(size / 2) << 8 | octet(0));
  }
  if (found == 0) return false;
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if ((octet < 0x20 && octet != '\t') || octet == 0x7f) return true;
  }
  return false;
}

}  // namespace text
