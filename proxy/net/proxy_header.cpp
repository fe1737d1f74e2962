#include "proxy/net/proxy_header.hpp"

#include <algorithm>
#include <array>

#include "config/cidr.hpp"
#include "proxy/text/take.hpp"

namespace net {

namespace {

using State = ProxyHeader::State;
using namespace std::string_view_literals;

// --- Version 1: a line of text ---------------------------------------------------------------------------------------

constexpr std::string_view kPrefix1 = "PROXY ";
constexpr std::size_t kMax1 = 107;  ///< with CR and LF

ProxyHeader invalid(std::string_view error) {
  return {.state = State::invalid, .error = error};
}

ProxyHeader complete(std::size_t size, std::string client = {}) {
  return {.state = State::complete, .size = size, .client = std::move(client)};
}

std::string_view take_word(std::string_view& line) {
  return text::take_until(line, ' ');
}

bool is_port(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text.front() == '0')) return false;
  int port = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    port = port * 10 + (c - '0');
  }
  return port <= 65535;
}

bool is_address(std::string_view text, bool v6, config::IpBytes& address) {
  return (text.find(':') != std::string_view::npos) == v6 && config::parse(text, address);
}

ProxyHeader parse_line(std::string_view bytes) {
  const std::string_view head = bytes.substr(0, kMax1);
  const std::size_t end = head.find('\n');
  if (end == std::string_view::npos) {
    return head.size() == kMax1 ? invalid("its line is longer than 107 bytes") : ProxyHeader{};
  }
  if (head[end - 1] != '\r') return invalid("its line does not end in CR LF");
  std::string_view line = head.substr(kPrefix1.size(), end - 1 - kPrefix1.size());
  const std::string_view family = take_word(line);
  if (family == "UNKNOWN") return complete(end + 1);
  if (family != "TCP4" && family != "TCP6") return invalid("its protocol is none of TCP4, TCP6 and UNKNOWN");
  config::IpBytes client, own;
  const bool v6 = family == "TCP6";
  if (!is_address(take_word(line), v6, client) || !is_address(take_word(line), v6, own)) {
    return invalid("it has no two addresses of its protocol");
  }
  const bool ports = is_port(take_word(line));
  if (!ports || !is_port(line)) return invalid("it has no two ports at its end");
  return complete(end + 1, config::to_text(client));
}

// --- Version 2: binary -----------------------------------------------------------------------------------------------

constexpr std::string_view kPrefix2 = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr std::size_t kFixed = 16;  ///< prefix, version and command, family and protocol, length of the rest
constexpr unsigned kLocal = 0x20, kProxied = 0x21;
constexpr unsigned kTcp4 = 0x11, kTcp6 = 0x21, kUnixStream = 0x31;
constexpr unsigned kChecksum = 0x03;  ///< PP2_TYPE_CRC32C
constexpr std::size_t kChecksumSize = 4;

unsigned byte_at(std::string_view bytes, std::size_t i) {
  return static_cast<unsigned char>(bytes[i]);
}

std::size_t length_at(std::string_view bytes, std::size_t i) {
  return byte_at(bytes, i) << 8 | byte_at(bytes, i + 1);
}

constexpr std::array<std::uint32_t, 256> crc32c_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82F63B78U : crc >> 1;
    table[i] = crc;
  }
  return table;
}

/// CRC-32C (RFC 3720, B.4) of `bytes` with zeros in place of the checksum itself.
std::uint32_t crc32c(std::string_view bytes, std::size_t checksum_at) {
  static constexpr std::array<std::uint32_t, 256> kTable = crc32c_table();
  std::uint32_t crc = ~0U;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const bool zero = i >= checksum_at && i < checksum_at + kChecksumSize;
    crc = kTable[(crc ^ (zero ? 0U : byte_at(bytes, i))) & 0xFF] ^ crc >> 8;
  }
  return ~crc;
}

/// Looks through the values behind the addresses: type, length in two bytes, value. Empty, or the rule broken.
std::string_view check_values(std::string_view header, std::size_t begin) {
  bool checked = false;
  for (std::size_t at = begin; at < header.size();) {
    constexpr std::size_t kHead = 3;
    if (header.size() - at < kHead || header.size() - at - kHead < length_at(header, at + 1)) {
      return "its last value is cut off";
    }
    const std::size_t value = at + kHead, length = length_at(header, at + 1);
    if (byte_at(header, at) == kChecksum) {
      if (length != kChecksumSize || checked) return "its checksum is no CRC-32C, or not the only one";
      checked = true;
      const std::size_t stated = length_at(header, value) << 16 | length_at(header, value + 2);
      if (crc32c(header, value) != stated) return "its checksum is wrong";
    }
    at = value + length;
  }
  return {};
}

ProxyHeader parse_binary(std::string_view bytes) {
  if (bytes.size() < kFixed) return {};
  const unsigned command = byte_at(bytes, 12), family = byte_at(bytes, 13);
  const std::size_t size = kFixed + length_at(bytes, 14);
  if (command != kLocal && command != kProxied) return invalid("its version or command is unknown");
  if (size > kProxyHeaderMax) return invalid("it is longer than 4096 bytes");
  if (bytes.size() < size) return {};
  const std::string_view header = bytes.substr(0, size);
  if (command == kLocal) return complete(size);  // whatever follows is to be ignored

  std::size_t addresses = 0;
  if (family == kTcp4) addresses = 12;
  if (family == kTcp6) addresses = 36;
  if (family == kUnixStream) addresses = 216;
  if (addresses == 0) return complete(size);  // of no protocol that leads here: the addresses mean nothing
  if (header.size() < kFixed + addresses) return invalid("its addresses are cut off");
  const std::string_view broken = check_values(header, kFixed + addresses);
  if (!broken.empty()) return invalid(broken);
  if (family == kUnixStream) return complete(size);
  config::IpBytes client{};
  auto* end = client.end();
  if (family == kTcp4) client[10] = client[11] = 0xFF;
  const std::size_t length = family == kTcp4 ? 4 : 16;
  std::copy_n(header.begin() + kFixed, length, end - static_cast<std::ptrdiff_t>(length));
  return complete(size, config::to_text(client));
}

/// Whether `bytes` may be, or go on as, a text that begins with `prefix`.
bool may_begin(std::string_view bytes, std::string_view prefix) {
  const std::size_t size = std::min(bytes.size(), prefix.size());
  return bytes.substr(0, size) == prefix.substr(0, size);
}

}  // namespace

ProxyHeader parse_proxy_header(std::string_view bytes) {
  if (may_begin(bytes, kPrefix1)) return bytes.size() < kPrefix1.size() ? ProxyHeader{} : parse_line(bytes);
  if (may_begin(bytes, kPrefix2)) return parse_binary(bytes);
  return invalid("there is none");
}

}  // namespace net
