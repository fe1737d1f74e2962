#include "proxy/text/hex.hpp"

#include <bit>
#include <cstring>

namespace text {

namespace {

/// Eight digits at a time: each octet of the word gets four bits, then the digit that these are.
std::uint64_t digits(std::uint32_t value) {
  std::uint64_t word = value;
  word = (word | word << 16) & 0x0000ffff0000ffff;
  word = (word | word << 8) & 0x00ff00ff00ff00ff;
  word = (word | word << 4) & 0x0f0f0f0f0f0f0f0f;
  constexpr std::uint64_t kEach = 0x0101010101010101;
  constexpr std::uint64_t kFromTen = 'a' - '0' - 10;
  const std::uint64_t letters = (word + 6 * kEach) >> 4 & kEach;
  // The first digit is of the greatest bits, and has the lowest address.
  return __builtin_bswap64(word + '0' * kEach + letters * kFromTen);
}

}  // namespace

void write_hex(std::uint64_t value, char* out) {
  static_assert(std::endian::native == std::endian::little);
  const std::uint64_t high = digits(static_cast<std::uint32_t>(value >> 32));
  const std::uint64_t low = digits(static_cast<std::uint32_t>(value));
  std::memcpy(out, &high, sizeof high);
  std::memcpy(out + sizeof high, &low, sizeof low);
}

}  // namespace text
