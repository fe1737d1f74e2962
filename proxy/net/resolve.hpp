#pragma once

#include <string>
#include <vector>

#include "config/address.hpp"
#include "proxy/net/transport.hpp"

namespace net {

using Endpoint = Transport::Endpoint;
/// Addresses of one name, in the order in which to try them.
using Endpoints = std::vector<Endpoint>;

/// The address as endpoints, all that its name has; the look-up of a name blocks. Never empty without `error`, which is
/// then one line for the operator.
Endpoints resolve(const config::Address& address, std::string& error);

/// The order of RFC 8305, section 4: the families take turns, beginning with that of the first address.
Endpoints interleave(const Endpoints& found);

/// True: the host is a name, whose addresses may change.
bool is_name(const config::Address& address);

/// An address with its port, such as `[::1]:8081` or `unix:/run/app/api.sock`.
std::string to_text(const Endpoint& endpoint);

/// The addresses without their port, such as `::1, 127.0.0.1`.
std::string to_text(const Endpoints& endpoints);

}  // namespace net
