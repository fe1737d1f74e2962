// A PROXY header reads the same however its bytes are split: as long as it is incomplete all bytes belong to it, and
// once it is complete, bytes behind it change nothing. Input: the first bytes of a connection.

#include "proxy/net/proxy_header.hpp"

#include <algorithm>
#include <cstdint>

#include "config/cidr.hpp"
#include "tests/fuzz/require.hpp"

using net::ProxyHeader;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const ProxyHeader whole = net::parse_proxy_header(bytes);
  FUZZ_REQUIRE(whole.state != ProxyHeader::State::incomplete || size < net::kProxyHeaderMax);
  FUZZ_REQUIRE((whole.state == ProxyHeader::State::invalid) == !whole.error.empty());
  if (!whole.client.empty()) {
    config::IpBytes address;
    FUZZ_REQUIRE(config::parse(whole.client, address) && config::to_text(address) == whole.client);
  }
  for (std::size_t part = 0; part < std::min(size, net::kProxyHeaderMax + 1); ++part) {
    const ProxyHeader read = net::parse_proxy_header(bytes.substr(0, part));
    if (read.state == ProxyHeader::State::incomplete) continue;
    FUZZ_REQUIRE(read.state == whole.state && read.size == whole.size && read.client == whole.client);
    FUZZ_REQUIRE(read.state == ProxyHeader::State::invalid || read.size == part);
    break;
  }
  return 0;
}
