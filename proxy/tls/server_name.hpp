#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/tls/certificate.hpp"

namespace tls {

/// What the choice of a certificate looks at.
struct Choice {
  KeyKind kind;
  std::vector<std::string> names;  ///< in lower case, may begin with `*.`
};

/// The certificates for a server name, by index: of each kind of key the first one that has the name itself, or else
/// the first one with a wildcard for it. Without any, or without a name, the first certificate, and those of other
/// kinds of key that share a name with it. `certificates` is not empty.
std::vector<std::size_t> choose(const std::vector<Choice>& certificates, std::string_view server_name);

/// The wildcard that covers a name: `*.example.org` for `a.example.org`; empty if none does.
std::string wildcard_of(std::string_view name);

}  // namespace tls
