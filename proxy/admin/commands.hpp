#pragma once

#include <iosfwd>
#include <optional>
#include <string>

#include "config/listen.hpp"

namespace spillway::admin {

/// Where the admin listener of a running process is, and what it is shown.
struct Target {
  std::string address;      ///< `host:port`, `[v6]:port` or `unix:/path`; `https://` before it for TLS
  std::string certificate;  ///< over TLS, a file in PEM; empty: none
  std::string key;          ///< empty: it is in the file of the certificate
};

/// The address of the process whose configuration has this `admin.listen`. Nothing for an inherited socket: the
/// configuration does not know where it listens.
std::optional<std::string> address_of(const config::Listen& listen);

// The commands of the program. Each asks the admin listener for one page and returns the exit status; if that is not 0,
// `err` gets the reason. Over TLS any certificate of the listener will do: they ask the own process.

/// Asks for /ready, for at most 2 s.
int healthcheck(const Target& target, std::ostream& err);
/// Asks for /advice, for at most 5 s, and writes it to `out`.
int advise(const Target& target, std::ostream& out, std::ostream& err);

}  // namespace spillway::admin
