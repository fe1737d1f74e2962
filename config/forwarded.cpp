#include "config/forwarded.hpp"

#include <algorithm>

namespace config {
namespace {

constexpr std::size_t kMaxPortDigits = 5;
const Cidr kNat64 = {{0, 0x64, 0xFF, 0x9B}, 96};

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= kMaxPortDigits &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

/// Removes and returns the last element of a comma-separated list.
std::string_view take_last(std::string_view& list) {
  const std::size_t comma = list.rfind(',');
  const std::string_view last = comma == std::string_view::npos ? list : list.substr(comma + 1);
  list = comma == std::string_view::npos ? std::string_view() : list.substr(0, comma);
  return trim(last);
}

}  // namespace

bool contains(std::span<const Cidr> blocks, const IpBytes& address) {
  return std::any_of(blocks.begin(), blocks.end(), [&](const Cidr& block) { return block.contains(address); });
}

bool parse_host(std::string_view entry, IpBytes& address, std::string_view& host) {
  std::string_view text = entry;
  const std::size_t colon = text.find(':');
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos || colon > bracket) return false;
    const std::string_view rest = text.substr(bracket + 1);
    if (!rest.empty() && (rest.front() != ':' || !is_port(rest.substr(1)))) return false;
    text = text.substr(1, bracket - 1);
  } else if (colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos) {
    if (!is_port(text.substr(colon + 1))) return false;
    text = text.substr(0, colon);
  }
  if (text.find(':') != std::string_view::npos) text = text.substr(0, text.find('%'));
  if (!parse(text, address)) return false;
  host = text;
  return true;
}

void ForwardedFor::line(std::string_view list) {
  while (believed_ && !list.empty()) {
    const std::string_view entry = take_last(list);
    if (entry.empty()) continue;
    // Not an address, such as `unknown`: the last known address is that of the proxy that wrote it.
    IpBytes address;
    believed_ = parse_host(entry, address, client_) && contains(trusted_, address);
  }
}

IpBytes network_of(const IpBytes& address, int ipv6_prefix) {
  if (is_v4(address)) return address;
  if (!kNat64.contains(address)) return masked(address, ipv6_prefix);
  IpBytes v4{};
  v4[10] = v4[11] = 0xFF;
  std::copy(address.end() - 4, address.end(), v4.end() - 4);
  return v4;
}

bool trusts(std::span<const Cidr> trusted, std::string_view peer) {
  if (peer.empty() || peer == "unix") return true;
  IpBytes address;
  std::string_view host;
  return !trusted.empty() && parse_host(peer, address, host) && contains(trusted, address);
}

}  // namespace config
