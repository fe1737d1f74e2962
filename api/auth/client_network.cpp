#include "api/auth/client_network.hpp"

#include "config/forwarded.hpp"

namespace api::auth {

namespace {
constexpr int kIpv6Prefix = 64;
constexpr int kIpBits = 128;
}  // namespace

std::string client_network(std::string_view client) {
  config::IpBytes address;
  std::string_view host;
  if (!config::parse_host(client, address, host)) return std::string(client);
  return config::to_text(config::Cidr{config::network_of(address, kIpv6Prefix), kIpBits});
}

}  // namespace api::auth
