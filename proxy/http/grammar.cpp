#include "proxy/http/grammar.hpp"

#include <algorithm>
#include <cstring>

#include <arpa/inet.h>

#include "proxy/text/hex.hpp"

namespace spillway::http {

namespace {

constexpr std::size_t kHostMax = 255;      // a name in the DNS is no longer (RFC 1035, section 2.3.4)
constexpr std::size_t kPortDigitsMax = 5;  // 65535
constexpr std::uint64_t kPortMax = 65535;

bool is_ipv6(std::string_view text) {
  char copy[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof copy) return false;
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  in6_addr address;
  return inet_pton(AF_INET6, copy, &address) == 1;
}

bool is_port(std::string_view text) {
  const auto port = parse_decimal(text, kPortDigitsMax);
  return port && *port > 0 && *port <= kPortMax;
}

}  // namespace

std::optional<std::uint64_t> parse_decimal(std::string_view text, std::size_t max_digits) {
  if (text.empty() || text.size() > max_digits) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (!is_octet(c, kDigit)) return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

bool is_authority(std::string_view text) {
  std::size_t host_size = 0;
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos || !is_ipv6(text.substr(1, bracket - 1))) return false;
    host_size = bracket + 1;
  } else {
    char before = '.';  // so that a leading dot counts as an empty label
    for (; host_size < text.size() && is_octet(text[host_size], kHostChar); ++host_size) {
      if (text[host_size] == '.' && before == '.') return false;
      before = text[host_size];
    }
    if (host_size == 0 || host_size > kHostMax) return false;
  }
  if (host_size == text.size()) return true;
  if (text[host_size] != ':') return false;
  return host_size + 1 == text.size() || is_port(text.substr(host_size + 1));
}

bool is_sound_path(std::string_view path) {
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '\\') return false;
    if (path[i] != '%') continue;
    if (path.size() - i < 3 || text::hex_value(path[i + 1]) < 0 || text::hex_value(path[i + 2]) < 0) return false;
  }
  return true;
}

std::string_view next_element(std::string_view& list) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const std::string_view element = trim(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
    if (!element.empty()) return element;
  }
  return {};
}

}  // namespace spillway::http
