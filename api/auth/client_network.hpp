#pragma once

#include <string>
#include <string_view>

namespace api::auth {

/// What counts as one client for the limits of logins: its IPv4 address, or its /64 of IPv6, which is what one
/// household has. Any other text counts as itself.
std::string client_network(std::string_view client);

}  // namespace api::auth
