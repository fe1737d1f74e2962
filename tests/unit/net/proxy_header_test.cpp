// The PROXY header of a connection, versions 1 and 2.

#include "proxy/net/proxy_header.hpp"

#include <string>

#include <doctest/doctest.h>

namespace net {
namespace {

using State = ProxyHeader::State;
using namespace std::string_literals;

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;

std::string two_bytes(std::size_t number) {
  return {static_cast<char>(number >> 8), static_cast<char>(number & 0xFF)};
}

/// A header of version 2 with this body: addresses, then values.
std::string binary(char command, char family, const std::string& body) {
  return kSignature + command + family + two_bytes(body.size()) + body;
}

std::string value(char type, const std::string& content) {
  return type + two_bytes(content.size()) + content;
}

const std::string kV4 = "\xC0\x00\x02\x01\x0A\x00\x00\x01\x30\x39\x00\x50"s;  // 192.0.2.1 to 10.0.0.1
const std::string kV6 = "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x07"s + std::string(15, '\0') + "\x01\x30\x39\x00\x50"s;

/// Every part of it is incomplete, and bytes behind it change nothing.
void check_complete(const std::string& header, const std::string& client) {
  CAPTURE(header);
  for (std::size_t size = 0; size < header.size(); ++size) {
    CAPTURE(size);
    REQUIRE(parse_proxy_header(std::string_view(header).substr(0, size)).state == State::incomplete);
  }
  for (const std::string& rest : {""s, "GET / HTTP/1.1\r\n"s, "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n"s, "\0"s}) {
    const ProxyHeader read = parse_proxy_header(header + rest);
    CHECK(read.state == State::complete);
    CHECK(read.size == header.size());
    CHECK(read.client == client);
  }
}

void check_invalid(const std::string& header, std::string_view rule) {
  CAPTURE(header);
  const ProxyHeader read = parse_proxy_header(header);
  CHECK(read.state == State::invalid);
  CHECK(read.error == rule);
}

TEST_CASE("version 1 names the client in a line") {
  check_complete("PROXY TCP4 192.0.2.1 10.0.0.1 56324 443\r\n", "192.0.2.1");
  check_complete("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255");
  check_complete("PROXY TCP6 2001:DB8:0:0::1 ::1 0 1\r\n", "2001:db8::1");
  check_complete("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 1\r\n", "192.0.2.1");
  check_complete("PROXY UNKNOWN\r\n", "");
  check_complete("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", "");
  const std::string longest = "PROXY UNKNOWN " + std::string(91, 'x') + "\r\n";
  REQUIRE(longest.size() == 107);
  check_complete(longest, "");
}

TEST_CASE("a malformed line is invalid") {
  const std::string_view none = "there is none", addresses = "it has no two addresses of its protocol",
                         ports = "it has no two ports at its end",
                         family = "its protocol is none of TCP4, TCP6 and UNKNOWN";
  check_invalid("GET / HTTP/1.1\r\n", none);
  check_invalid("P ", none);
  check_invalid("proxy TCP4", none);
  check_invalid("PROXY\tTCP4", none);
  check_invalid("\x16\x03\x01", none);
  check_invalid("PROXY UNKNOWN " + std::string(92, 'x') + "\r\n", "its line is longer than 107 bytes");
  check_invalid("PROXY TCP4 192.0.2.1 10.0.0.1 1 2\n", "its line does not end in CR LF");
  check_invalid("PROXY \n", "its line does not end in CR LF");
  check_invalid("PROXY \r\n", family);
  check_invalid("PROXY  TCP4 192.0.2.1 10.0.0.1 1 2\r\n", family);
  check_invalid("PROXY UDP4 192.0.2.1 10.0.0.1 1 2\r\n", family);
  check_invalid("PROXY TCP4\r\n", addresses);
  check_invalid("PROXY TCP4 ::1 ::1 1 2\r\n", addresses);
  check_invalid("PROXY TCP6 192.0.2.1 10.0.0.1 1 2\r\n", addresses);
  check_invalid("PROXY TCP4 192.0.2.1  10.0.0.1 1 2\r\n", addresses);
  check_invalid("PROXY TCP4 192.0.2.256 10.0.0.1 1 2\r\n", addresses);
  check_invalid("PROXY TCP4 192.0.2.1\0 10.0.0.1 1 2\r\n"s, addresses);
  check_invalid("PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", addresses);
  for (const char* rest : {"", " 1", " 1 ", " 1 2 ", " 1 2 3", " 01 2", " 1 65536", " -1 2", " 1 2\r", "  1 2"}) {
    check_invalid("PROXY TCP4 192.0.2.1 10.0.0.1" + std::string(rest) + "\r\n", ports);
  }
}

TEST_CASE("version 2 names the client in binary") {
  check_complete(binary(0x21, 0x11, kV4), "192.0.2.1");
  check_complete(binary(0x21, 0x21, kV6), "2001:db8::7");
  check_complete(binary(0x21, 0x21, std::string(10, '\0') + "\xFF\xFF\xC0\x00\x02\x01"s + std::string(20, '\0')),
                 "192.0.2.1");
  check_complete(binary(0x21, 0x11, kV4 + value(0x02, "host.example") + value(0x04, "") + value(0x20, "tls")),
                 "192.0.2.1");
}

TEST_CASE("version 2 without a client that leads here keeps the balancer's address") {
  check_complete(binary(0x20, 0x00, ""), "");
  check_complete(binary(0x20, 0x11, kV4), "");
  check_complete(binary(0x20, 0x11, "?"), "");
  check_complete(binary(0x21, 0x00, "anything"), "");
  check_complete(binary(0x21, 0x12, kV4), "");  // UDP
  check_complete(binary(0x21, 0x31, std::string(216, 'x')), "");
}

TEST_CASE("a malformed binary header is invalid") {
  const std::string_view command = "its version or command is unknown", cut = "its addresses are cut off",
                         value_cut = "its last value is cut off";
  check_invalid(kSignature + "\x11\x11\x00\x00"s, command);
  check_invalid(kSignature + "\x22\x11\x00\x00"s, command);
  check_invalid(binary(0x21, 0x11, kV4.substr(1)), cut);
  check_invalid(binary(0x21, 0x21, kV4), cut);
  check_invalid(binary(0x21, 0x31, std::string(215, 'x')), cut);
  check_invalid(binary(0x21, 0x11, kV4 + "\x02"), value_cut);
  check_invalid(binary(0x21, 0x11, kV4 + "\x02\x00\x02x"s), value_cut);
  check_invalid(binary(0x21, 0x11, kV4 + "\x02\xFF\xFFx"s), value_cut);
  // As soon as its length is known.
  check_invalid(kSignature + "\x21\x11\xFF\xFF"s, "it is longer than 4096 bytes");
  check_invalid(kSignature + "\x21\x11\x0F\xF1"s, "it is longer than 4096 bytes");
  check_complete(binary(0x21, 0x11, kV4 + value(0x04, std::string(4096 - 16 - 12 - 3, '\0'))), "192.0.2.1");
}

TEST_CASE("a checksum is verified") {
  const std::string_view wrong = "its checksum is wrong", form = "its checksum is no CRC-32C, or not the only one";
  const std::string right = value(0x03, "\x02\x34\x2A\x9C");
  const std::string with_host = value(0x02, "a.example") + value(0x03, "\xFA\xA0\xBD\x30");
  check_complete(binary(0x21, 0x11, kV4 + right), "192.0.2.1");
  check_complete(binary(0x21, 0x11, kV4 + with_host), "192.0.2.1");
  check_invalid(binary(0x21, 0x11, kV4 + value(0x03, "\0\0\0\0"s)), wrong);
  std::string other = kV4;
  other[0] = 1;
  check_invalid(binary(0x21, 0x11, other + right), wrong);
  check_invalid(binary(0x21, 0x11, kV4 + value(0x03, "\0\0\0"s)), form);
  check_invalid(binary(0x21, 0x11, kV4 + value(0x03, "")), form);
}

}  // namespace
}  // namespace net
