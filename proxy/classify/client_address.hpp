#pragma once

#include <span>
#include <string_view>

#include "config/cidr.hpp"
#include "proxy/http/message.hpp"

namespace spillway::classify {

/// Who sent a request, as its last trusted proxy tells it. Views into the request and the peer's address.
struct ClientAddress {
  std::string_view address;  ///< without port, brackets and zone; empty for a unix socket of which nothing is known
  std::string_view proto;    ///< `http` or `https`, of the client's request to the first trusted proxy; empty: not told
  std::string_view host;     ///< that this request named; empty: not told
};

/// Finds the client behind trusted proxies. Each of them appends the address of its own client, so the client is the
/// right-most untrusted address; what stands left of it can be forged. X-Forwarded-For counts; `Forwarded` only without
/// it, because most proxies that write the one pass the other on as they got it.
/// `believed`: `peer`, the other end of the connection, is a trusted proxy.
ClientAddress client_address(const http::RequestHead& request, std::string_view peer, bool believed,
                             std::span<const config::Cidr> trusted);

}  // namespace spillway::classify
