#include "proxy/relay/client_connections.hpp"

#include "config/forwarded.hpp"

namespace spillway::relay {

namespace {
constexpr int kIpv6Prefix = 64;  ///< what a household or a host has at least
}  // namespace

ClientConnections::Place ClientConnections::enter(std::string_view address, int limit) {
  config::IpBytes bytes;
  std::uint64_t client = hash_(address);
  if (config::parse(address, bytes)) {
    const config::IpBytes network = config::network_of(bytes, kIpv6Prefix);
    client = hash_({reinterpret_cast<const char*>(network.data()), network.size()});
  }
  const std::lock_guard lock(mutex_);
  int& open = open_[client];
  if (open >= limit) return {};  // a limit is at least 1: the entry is not a new one
  ++open;
  return {*this, client};
}

void ClientConnections::leave(std::uint64_t client) {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(client);
  if (--found->second == 0) open_.erase(found);
}

std::size_t ClientConnections::clients() const {
  const std::lock_guard lock(mutex_);
  return open_.size();
}

}  // namespace spillway::relay
