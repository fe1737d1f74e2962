#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace config {

/// Where to listen or connect: `host:port`, `:port` (listening: every address of both families), `[v6]:port`,
/// `unix:/path` or `fd:N` (an inherited listening socket).
struct Address {
  enum class Kind : std::uint8_t { tcp, unix_socket, descriptor };
  Kind kind = Kind::tcp;
  std::string host;        ///< tcp: an IPv4 or IPv6 literal (without brackets), a host name, or empty: every address
  std::uint16_t port = 0;  ///< tcp; 0 when listening: any free port
  std::string path;        ///< unix_socket: absolute, short enough for sockaddr_un
  int descriptor = -1;     ///< descriptor: 3 or more

  static Address tcp(std::string host, std::uint16_t port);
  static Address unix_socket(std::string path);

  bool operator==(const Address&) const = default;
};

// What config::Fields needs; see `parsed` there.
bool parse(std::string_view text, Address& address);
std::string to_text(const Address& address);
std::string_view words_for(const Address&);
std::string_view pattern_for(const Address&);
std::string hint_for(std::string_view text, const Address&);

/// Whether it is a TCP address by the name `localhost`, or one below it (RFC 6761): this machine's loopback.
bool is_localhost(const Address& address);

/// Whether a connection to `to` on this machine could reach a listener on `listener`, as far as the names tell.
bool reaches(const Address& to, const Address& listener);

/// Whether one process certainly cannot listen on both, as far as the names tell: the second bind fails. Port 0 is
/// another port each time.
bool overlap(const Address& one, const Address& other);

}  // namespace config
