#pragma once

#include <span>
#include <string_view>

#include "config/cidr.hpp"

/// Whose request it is: the address behind the proxies on the way, and which addresses are one client.
namespace config {

/// Whether an address is in one of the blocks.
bool contains(std::span<const Cidr> blocks, const IpBytes& address);

/// Whether a peer is one of the `trusted` proxies. That of a unix socket (empty, or `unix`) is: the file's mode guards
/// it.
bool trusts(std::span<const Cidr> trusted, std::string_view peer);

/// The address of an entry of X-Forwarded-For, as the proxies of this world write it: `192.0.2.1`, `192.0.2.1:4711`,
/// `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`, `fe80::1%eth0`. `host` is the part without port, brackets and
/// zone. False, and both unchanged: none of these.
bool parse_host(std::string_view entry, IpBytes& address, std::string_view& host);

/// Finds the client: each proxy appends the address that it was asked from, so the client is the right-most address
/// that is no trusted proxy's. Entries to the left of it can be forged.
class ForwardedFor {
 public:
  /// `peer`: the other end of the connection. `believed`: whether it is a trusted proxy.
  ForwardedFor(std::string_view peer, bool believed, std::span<const Cidr> trusted)
      : client_(peer), believed_(believed), trusted_(trusted) {}

  /// One line of X-Forwarded-For, the last line first. Views into it are kept.
  void line(std::string_view list);

  /// False: more lines change nothing.
  bool open() const { return believed_; }
  /// Without port, brackets and zone. The peer if nobody else is known.
  std::string_view client() const { return client_; }

 private:
  std::string_view client_;
  bool believed_;
  std::span<const Cidr> trusted_;
};

/// What counts as one client: an IPv4 address, or the first `ipv6_prefix` bits (0 to 128) of an IPv6 one, of which a
/// household or a host has at least a /64. An IPv4 address behind the well-known prefix of NAT64 (RFC 6052) is that.
IpBytes network_of(const IpBytes& address, int ipv6_prefix);

}  // namespace config
