#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace config {

/// An IP address as 16 bytes in network order. IPv4 has the mapped form ::ffff:a.b.c.d, so that a client has the same
/// address on a dual-stack and on an IPv4 socket.
using IpBytes = std::array<std::uint8_t, 16>;

/// A block of addresses: `10.0.0.0/8`, `fd00::/8`, or a single address.
struct Cidr {
  IpBytes network{};
  int prefix = 128;  ///< of the 128 bits of the mapped form: 10.0.0.0/8 has 96 + 8

  bool contains(const IpBytes& address) const;
  bool operator==(const Cidr&) const = default;
};

/// Whether it is an IPv4 address, in its mapped form.
bool is_v4(const IpBytes& address);
/// The first `bits` of the 128 bits; the others become 0.
IpBytes masked(const IpBytes& address, int bits);

/// Reads an IPv4 or IPv6 literal without brackets, port or zone. False: it is none.
bool parse(std::string_view text, IpBytes& address);
/// The literal in its usual form; an IPv4 address without its mapping.
std::string to_text(const IpBytes& address);

// What config::Fields needs; see `parsed` there. Bits beyond the prefix must be zero.
bool parse(std::string_view text, Cidr& cidr);
std::string to_text(const Cidr& cidr);
std::string_view words_for(const Cidr&);
std::string_view pattern_for(const Cidr&);

}  // namespace config
