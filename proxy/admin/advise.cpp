#include "proxy/admin/advise.hpp"

#include <chrono>
#include <ostream>
#include <sstream>

#include <boost/asio/basic_socket_iostream.hpp>
#include <boost/asio/generic/stream_protocol.hpp>

#include "config/command_line.hpp"
#include "proxy/upstream/resolve.hpp"

namespace spillway::admin {
namespace {

constexpr auto kPatience = std::chrono::seconds(5);

}  // namespace

int advise(const std::string& address, std::ostream& out, std::ostream& err) {
  config::Address parsed;
  if (!parse(address, parsed)) {
    err << "--admin: " << address << " is no address (host:port, [v6]:port or unix:/path)\n";
    return config::kExitUsage;
  }
  std::string error;
  const upstream::Endpoints endpoints = upstream::resolve(parsed, error);
  if (!error.empty()) {
    err << error << '\n';
    return config::kExitFailure;
  }
  net::asio::basic_socket_iostream<net::asio::generic::stream_protocol> stream;
  stream.expires_after(kPatience);
  for (const upstream::Endpoint& endpoint : endpoints) {
    stream.clear();
    stream.connect(endpoint);
    if (stream) break;
    stream.close();
  }
  stream << "GET /advice HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n" << std::flush;
  std::ostringstream answer;
  answer << stream.rdbuf();
  const std::string text = answer.str();
  const std::size_t body = text.find("\r\n\r\n");
  if (!text.starts_with("HTTP/1.1 200 ") || body == std::string::npos) {
    err << "no advice from " << address << ": " << (text.empty() ? "no answer" : text.substr(0, text.find('\r')))
        << '\n';
    return config::kExitFailure;
  }
  out << text.substr(body + 4);
  return config::kExitOk;
}

}  // namespace spillway::admin
