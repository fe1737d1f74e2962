#include "proxy/text/request_id.hpp"

#include <algorithm>
#include <cstring>

namespace text {

RequestId request_id(std::uint64_t high, std::uint64_t low) {
  RequestId id;
  write_hex(high, id.data());
  write_hex(low, id.data() + 16);
  return id;
}

bool valid_request_id(std::string_view id) {
  constexpr std::string_view kPunctuation = "._:/+=-";
  return !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kPunctuation.find(c) != std::string_view::npos;
  });
}

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
