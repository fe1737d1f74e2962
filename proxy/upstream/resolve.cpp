#include "proxy/upstream/resolve.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

namespace spillway::upstream {

Endpoint resolve(const config::Address& address, std::string& error) {
  using Tcp = net::asio::ip::tcp;
  if (address.kind == config::Address::Kind::unix_socket) {
    return net::asio::local::stream_protocol::endpoint(address.path);
  }
  net::asio::io_context loop;
  net::error_code failure;
  const auto found = Tcp::resolver(loop).resolve(address.host, std::to_string(address.port), failure);
  if (!failure && !found.empty()) return Tcp::endpoint(*found.begin());
  error = "upstream.address: cannot resolve " + address.host + ": " + failure.message();
  return {};
}

}  // namespace spillway::upstream
