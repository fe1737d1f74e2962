#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace net {

/// What a load balancer says of a connection before its first byte: the PROXY protocol, versions 1 and 2
/// (haproxy.org/download/3.0/doc/proxy-protocol.txt).
struct ProxyHeader {
  enum class State : std::uint8_t {
    incomplete,  ///< all bytes belong to the header, and more do
    complete,
    invalid,
  };

  State state = State::incomplete;
  std::size_t size = 0;     ///< complete: of the header, in bytes
  std::string client = {};  ///< complete: the client's address without port, IPv4 in its own form. Empty: the balancer
                            ///< does not know it (UNKNOWN, a unix socket), or is the client itself (LOCAL)
  std::string_view error = {};  ///< invalid: the rule that was broken
};

/// A longer header is invalid. Its addresses take up to 232 bytes; further values, such as the name that a TLS client
/// asked for, take the rest.
inline constexpr std::size_t kProxyHeaderMax = 4096;

/// Reads a header from the first bytes of a connection. `bytes` may hold more than the header, or just a part of it.
/// Further values are skipped; a checksum among them must be right.
ProxyHeader parse_proxy_header(std::string_view bytes);

}  // namespace net
