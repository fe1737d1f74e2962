#include "proxy/text/hex.hpp"

#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace text {

/// Two digits at a time.
void write_hex(std::uint64_t value, char* out) {
  static constexpr auto kPairs = [] {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::array<std::array<char, 2>, 256> pairs{};
    for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i] = {kDigits[i >> 4], kDigits[i & 15]};
    return pairs;
  }();
  for (int i = 14; i >= 0; i -= 2, value >>= 8) std::memcpy(out + i, kPairs[value & 255].data(), 2);
}

}  // namespace text
