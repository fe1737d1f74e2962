// Who sent a request, and which parts of what is said about it can be forged.
#include "proxy/classify/client_address.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "config/forwarded.hpp"
#include "tests/unit/classify/sample.hpp"

namespace {

using namespace spillway;
using classify::client_address;
using classify::ClientAddress;
using classify::Sample;

std::vector<config::Cidr> blocks() {
  std::vector<config::Cidr> trusted;
  for (const std::string_view block : {"10.0.0.0/8", "fd00::/8"}) {
    REQUIRE(config::parse(block, trusted.emplace_back()));
  }
  return trusted;
}

TEST_CASE("the client is the right-most untrusted address of X-Forwarded-For, else of Forwarded") {
  const std::vector<config::Cidr> trusted = blocks();
  struct Row {
    std::string_view peer;
    std::string fields;
    std::string_view client, proto, host = {};
  };
  for (const Row& row : {
           Row{"192.0.2.1", "", "192.0.2.1", ""},
           Row{"192.0.2.1", "X-Forwarded-For: 198.51.100.7\r\n", "192.0.2.1", ""},
           Row{"192.0.2.1", "Forwarded: for=198.51.100.7;proto=https\r\n", "192.0.2.1", ""},
           Row{"10.0.0.1", "", "10.0.0.1", ""},
           Row{"10.0.0.1", "X-Forwarded-For: 203.0.113.9, 198.51.100.7:4711\r\n", "198.51.100.7", ""},
           Row{"10.0.0.1", "Forwarded: for=198.51.100.7\r\n", "198.51.100.7", ""},
           Row{"10.0.0.1", "Forwarded: for=203.0.113.9, for=198.51.100.7;proto=https\r\n", "198.51.100.7", "https"},
           Row{"10.0.0.1", "Forwarded: for=203.0.113.9\r\nForwarded: for=198.51.100.7\r\n", "198.51.100.7", ""},
           Row{"10.0.0.1", "Forwarded: for=198.51.100.7;proto=https, for=10.0.0.2;proto=http\r\n", "198.51.100.7",
               "https"},
           Row{"10.0.0.1", "Forwarded: for=10.0.0.3;proto=https, for=10.0.0.2\r\n", "10.0.0.3", "https"},
           Row{"10.0.0.1", "Forwarded: for=\"[2001:db8::7]:4711\"\r\n", "2001:db8::7", ""},
           Row{"10.0.0.1", "Forwarded: for=6.6.6.6;host=b, for=198.51.100.7;host=a.example:81, for=10.0.0.2;host=c\r\n",
               "198.51.100.7", "", "a.example:81"},
           Row{"10.0.0.1", "Forwarded: for=198.51.100.7;host=\"a, b\"\r\n", "198.51.100.7", ""},
           Row{"192.0.2.1", "Forwarded: for=198.51.100.7;host=a\r\n", "192.0.2.1", ""},
           Row{"10.0.0.1", "Forwarded: for=6.6.6.6;host=b\r\nX-Forwarded-For: 198.51.100.7\r\n", "198.51.100.7", ""},
           Row{"", "Forwarded: for=198.51.100.7\r\n", "198.51.100.7", ""},
           Row{"10.0.0.1", "Forwarded: for=198.51.100.7;proto=\"gopher\"\r\n", "198.51.100.7", ""},
           // A proxy that writes X-Forwarded-For passes a client's Forwarded on.
           Row{"10.0.0.1", "Forwarded: for=6.6.6.6;proto=https\r\nX-Forwarded-For: 198.51.100.7\r\n", "198.51.100.7",
               ""},
           // An unreadable node hides its client; what stands left of it can be forged.
           Row{"10.0.0.1", "Forwarded: for=198.51.100.7, for=unknown\r\n", "10.0.0.1", ""},
           Row{"10.0.0.1", "Forwarded: for=198.51.100.7, for=_gate, for=10.0.0.2\r\n", "10.0.0.2", ""},
           Row{"10.0.0.1", "Forwarded: for=198.51.100.7, proto=https\r\n", "10.0.0.1", ""},
           Row{"10.0.0.1", "Forwarded: for=6.6.6.6, for=\", for=198.51.100.7\r\n", "10.0.0.1", ""},
           Row{"10.0.0.1", "Forwarded: for=\"6.6.6.6\r\nForwarded: for=198.51.100.7\r\n", "198.51.100.7", ""},
       }) {
    CAPTURE(row.peer);
    CAPTURE(row.fields);
    const Sample sample(row.fields);
    const ClientAddress client = client_address(sample.head, row.peer, config::trusts(trusted, row.peer), trusted);
    CHECK(client.address == row.client);
    CHECK(client.proto == row.proto);
    CHECK(client.host == row.host);
  }
}

TEST_CASE("a long chain costs no more than its trusted end") {
  const std::vector<config::Cidr> trusted = blocks();
  std::string chain = "X-Forwarded-For: ";
  for (int i = 0; i < 98; ++i) chain += "6.6.6." + std::to_string(i) + ", ";
  const Sample sample(chain + "198.51.100.7, 10.0.0.2\r\n");
  CHECK(client_address(sample.head, "10.0.0.1", true, trusted).address == "198.51.100.7");
}

}  // namespace
