#pragma once

#include <span>
#include <string_view>

#include "config/cidr.hpp"

/// Finds the client of a request: its address behind the proxies on the way, and which addresses make one client.
namespace config {

/// Whether an address is in one of the blocks.
bool contains(std::span<const Cidr> blocks, const IpBytes& address);

/// Whether a peer is one of the `trusted` proxies. The peer of a unix socket (empty, or `unix`) is: the mode of the
/// file decides who may connect.
bool trusts(std::span<const Cidr> trusted, std::string_view peer);

/// Reads the address of an entry of X-Forwarded-For in every form that proxies write: `192.0.2.1`, `192.0.2.1:4711`,
/// `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`, `fe80::1%eth0`. `host` is the part without port, brackets and
/// zone. False, and both unchanged: it is none of these.
bool parse_host(std::string_view entry, IpBytes& address, std::string_view& host);

/// Finds the client: each proxy appends the address of its own client, so the client is the right-most untrusted
/// address. Entries left of it can be forged.
class ForwardedFor {
 public:
  /// `peer`: the address of the other end of the connection. `believed`: it is a trusted proxy.
  ForwardedFor(std::string_view peer, bool believed, std::span<const Cidr> trusted)
      : client_(peer), believed_(believed), trusted_(trusted) {}

  /// Reads one X-Forwarded-For field; the last field of the head comes first. Keeps views into it.
  void line(std::string_view list);

  /// False: further fields change nothing.
  bool open() const { return believed_; }
  /// The client's address without port, brackets and zone; the peer's if no other is known.
  std::string_view client() const { return client_; }

 private:
  std::string_view client_;
  bool believed_;
  std::span<const Cidr> trusted_;
};

/// What makes one client: an IPv4 address, or the first `ipv6_prefix` bits (0 to 128) of an IPv6 address, since a
/// household or a host has at least a /64. An address with the well-known prefix of NAT64 (RFC 6052) is the IPv4
/// address in it.
IpBytes network_of(const IpBytes& address, int ipv6_prefix);

}  // namespace config
