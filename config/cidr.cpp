#include "config/cidr.hpp"

#include <algorithm>
#include <charconv>

#include <arpa/inet.h>

namespace config {
namespace {

constexpr int kBits = 128;
/// The prefix ::ffff:0:0/96 of mapped IPv4 addresses (RFC 4291, 2.5.5.2).
constexpr int kMappedBits = 96;
constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

/// A mask of the bits of byte `index` that a prefix of this length covers.
std::uint8_t mask_of(int prefix, int index) {
  const int covered = std::clamp(prefix - index * 8, 0, 8);
  return static_cast<std::uint8_t>(0xFF00U >> static_cast<unsigned>(covered));
}

std::string literal(const IpBytes& address, bool as_v4) {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  const std::uint8_t* bytes = address.data() + (as_v4 ? kMappedPrefix.size() : 0);
  ::inet_ntop(as_v4 ? AF_INET : AF_INET6, bytes, buffer.data(), buffer.size());
  return buffer.data();
}

}  // namespace

bool Cidr::contains(const IpBytes& address) const {
  for (int i = 0; i * 8 < prefix; ++i) {
    const auto index = static_cast<std::size_t>(i);
    if (((address[index] ^ network[index]) & mask_of(prefix, i)) != 0) return false;
  }
  return true;
}

bool is_v4(const IpBytes& address) {
  return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), address.begin());
}

IpBytes masked(const IpBytes& address, int bits) {
  IpBytes result = address;
  for (int i = 0; i < kBits / 8; ++i) result[static_cast<std::size_t>(i)] &= mask_of(bits, i);
  return result;
}

bool parse(std::string_view text, IpBytes& address) {
  std::array<char, INET6_ADDRSTRLEN> zero_terminated{};
  if (text.size() >= zero_terminated.size() || text.find('\0') != std::string_view::npos) return false;
  std::copy(text.begin(), text.end(), zero_terminated.begin());
  IpBytes bytes{};
  if (::inet_pton(AF_INET6, zero_terminated.data(), bytes.data()) != 1) {
    std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin());
    if (::inet_pton(AF_INET, zero_terminated.data(), bytes.data() + kMappedPrefix.size()) != 1) return false;
  }
  address = bytes;
  return true;
}

bool parse(std::string_view text, Cidr& cidr) {
  const std::size_t slash = text.find('/');
  Cidr result;
  if (!parse(text.substr(0, slash), result.network)) return false;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const int offset = text.find(':') == std::string_view::npos ? kMappedBits : 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), result.prefix);
    if (read.ec != std::errc() || read.ptr != digits.data() + digits.size() || result.prefix < 0) return false;
    if (result.prefix > kBits - offset) return false;
    result.prefix += offset;
  }
  for (int i = 0; i < kBits / 8; ++i) {
    const std::uint8_t beyond = static_cast<std::uint8_t>(~mask_of(result.prefix, i));
    if ((result.network[static_cast<std::size_t>(i)] & beyond) != 0) return false;
  }
  cidr = result;
  return true;
}

std::string to_text(const Cidr& cidr) {
  const bool v4 = is_v4(cidr.network) && cidr.prefix >= kMappedBits;
  return literal(cidr.network, v4) + '/' + std::to_string(v4 ? cidr.prefix - kMappedBits : cidr.prefix);
}

std::string to_text(const IpBytes& address) {
  return literal(address, is_v4(address));
}

std::string_view words_for(const Cidr& /*cidr*/) {
  return "an address or a network such as 10.0.0.0/8, with no bit set beyond its prefix";
}

std::string_view pattern_for(const Cidr& /*cidr*/) {
  return "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$";
}

}  // namespace config
