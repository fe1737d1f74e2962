#include "proxy/net/resolve.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <doctest/doctest.h>

namespace net {
namespace {

Endpoint at(const char* address) {
  return asio::ip::tcp::endpoint(asio::ip::make_address(address), 80);
}

TEST_CASE("The families take turns, beginning with that of the first address") {
  const Endpoints found{at("::1"), at("::2"), at("::3"), at("127.0.0.1")};
  CHECK(to_text(interleave(found)) == "::1, 127.0.0.1, ::2, ::3");
  CHECK(to_text(interleave({at("127.0.0.1"), at("::1")})) == "127.0.0.1, ::1");
  CHECK(interleave({}).empty());
}

TEST_CASE("An address is written with its port") {
  CHECK(to_text(at("::1")) == "[::1]:80");
  CHECK(to_text(at("127.0.0.1")) == "127.0.0.1:80");
  CHECK(to_text(Endpoint(asio::local::stream_protocol::endpoint("/run/api.sock"))) == "unix:/run/api.sock");
}

}  // namespace
}  // namespace net
