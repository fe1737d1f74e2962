#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/address.hpp"
#include "config/fields.hpp"
#include "config/listen_tls.hpp"

namespace config {

/// An entry of `listen`: an address alone, or a map with further keys.
struct Listen {
  Address address;
  std::optional<std::string> mode = {};   ///< of a unix socket's file, in octal; without it the umask decides
  std::optional<std::string> group = {};  ///< of a unix socket's file, by name or number; without it the process's own
  bool proxy_protocol = false;            ///< each connection begins with a header that names the client
  bool http2 = false;                     ///< HTTP/2 is spoken beside HTTP/1; over TLS if ALPN agrees on it
  ListenTls tls = {};

  bool operator==(const Listen&) const = default;
};

// The short form is the address alone; see `parsed` in fields.hpp. It resets the other members.
bool parse(std::string_view text, Listen& listen);
/// Nothing if the entry has more than an address.
std::optional<std::string> to_text(const Listen& listen);
std::string_view words_for(const Listen& listen);
std::string hint_for(std::string_view text, const Listen& listen);
std::string_view pattern_for(const Listen& listen);

/// The keys of the map.
void describe(Fields& f, Listen& listen);

}  // namespace config
