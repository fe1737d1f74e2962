#pragma once

#include <string>
#include <string_view>

namespace api::auth {

/// The network that counts as one client for the limits of logins: an IPv4 address, or a /64 of IPv6, which is what one
/// household gets. Any other text is returned as it is.
std::string client_network(std::string_view client);

}  // namespace api::auth
