#pragma once

#include <string>

#include "config/address.hpp"
#include "proxy/net/transport.hpp"

namespace spillway::upstream {

using Endpoint = net::Transport::Endpoint;

/// The API's address as an endpoint; a host name is looked up, and the call blocks meanwhile. On failure `error` is one
/// line for the operator.
Endpoint resolve(const config::Address& address, std::string& error);

}  // namespace spillway::upstream
