#include "proxy/net/resolve.hpp"

#include <memory>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

namespace net {

Endpoints interleave(const Endpoints& found) {
  Endpoints first, second, order;
  for (const Endpoint& endpoint : found) {
    const bool same = endpoint.protocol().family() == found.front().protocol().family();
    (same ? first : second).push_back(endpoint);
  }
  for (std::size_t i = 0; i < first.size() || i < second.size(); ++i) {
    if (i < first.size()) order.push_back(first[i]);
    if (i < second.size()) order.push_back(second[i]);
  }
  return order;
}

Endpoints resolve(const config::Address& address, std::string& error) {
  if (address.kind == config::Address::Kind::unix_socket) {
    return {asio::local::stream_protocol::endpoint(address.path)};
  }
  // Without AI_ADDRCONFIG, which would leave out ::1 where there is no other IPv6 address.
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int status = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &list);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  Endpoints found;
  for (const addrinfo* entry = list; status == 0 && entry; entry = entry->ai_next) {
    found.emplace_back(entry->ai_addr, entry->ai_addrlen, IPPROTO_TCP);
  }
  if (found.empty()) error = "cannot resolve " + address.host + ": " + ::gai_strerror(status ? status : EAI_NONAME);
  return interleave(found);
}

bool is_name(const config::Address& address) {
  if (address.kind != config::Address::Kind::tcp) return false;
  error_code no_number;
  asio::ip::make_address(address.host, no_number);
  return no_number.failed();
}

namespace {

/// Empty for a unix socket.
std::string host_of(const Endpoint& endpoint) {
  char host[NI_MAXHOST];
  const auto size = static_cast<socklen_t>(endpoint.size());
  const int family = endpoint.protocol().family();
  if (family != AF_INET && family != AF_INET6) return {};
  if (::getnameinfo(endpoint.data(), size, host, sizeof host, nullptr, 0, NI_NUMERICHOST) != 0) return {};
  return host;
}

}  // namespace

std::string to_text(const Endpoint& endpoint) {
  if (endpoint.protocol().family() == AF_UNIX) {
    return std::string("unix:") + reinterpret_cast<const sockaddr_un*>(endpoint.data())->sun_path;
  }
  const bool v6 = endpoint.protocol().family() == AF_INET6;
  const auto port = v6 ? reinterpret_cast<const sockaddr_in6*>(endpoint.data())->sin6_port
                       : reinterpret_cast<const sockaddr_in*>(endpoint.data())->sin_port;
  const std::string host = host_of(endpoint);
  return (v6 ? '[' + host + ']' : host) + ':' + std::to_string(ntohs(port));
}

std::string to_text(const Endpoints& endpoints) {
  std::string text;
  for (const Endpoint& endpoint : endpoints) {
    const std::string host = host_of(endpoint);
    if (!host.empty()) text.append(text.empty() ? "" : ", ").append(host);
  }
  return text;
}

}  // namespace net
