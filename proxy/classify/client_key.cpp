#include "proxy/classify/client_key.hpp"

#include <algorithm>
#include <charconv>
#include <random>

#include "config/forwarded.hpp"

namespace spillway::classify {

namespace {

constexpr std::uint64_t kPrime = (std::uint64_t{1} << 61) - 1;
constexpr std::chrono::milliseconds kLongestTimeout = std::chrono::hours(24);

std::uint64_t multiply(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = Wide{a} * b;
  const std::uint64_t sum = static_cast<std::uint64_t>(product & kPrime) + static_cast<std::uint64_t>(product >> 61);
  return sum >= kPrime ? sum - kPrime : sum;
}

}  // namespace

KeyHash::KeyHash() : KeyHash(std::uint64_t{std::random_device{}()} << 32 | std::random_device{}()) {}

KeyHash::KeyHash(std::uint64_t seed) : point_(seed % (kPrime - 2) + 2) {}

std::uint64_t KeyHash::operator()(std::string_view text) const {
  std::uint64_t sum = point_;
  for (const char c : text) {
    sum += static_cast<unsigned char>(c) + 1u;
    sum = multiply(sum, point_);
  }
  // The hash table uses the low bits: let every bit change them (the finaliser of MurmurHash3).
  sum = (sum ^ (sum >> 33)) * 0xff51afd7ed558ccdU;
  sum = (sum ^ (sum >> 33)) * 0xc4ceb9fe1a85ec53U;
  sum ^= sum >> 33;
  return sum == 0 ? 1 : sum;
}

ClientKeys::ClientKeys(const ClientKeyConfig& config, const std::vector<config::Cidr>& trusted_proxies)
    : source_(config.key.source),
      header_(config.key.header),
      ipv6_prefix_(config.ipv6_prefix),
      trusted_proxies_(trusted_proxies) {
  std::transform(header_.begin(), header_.end(), header_.begin(), http::to_lower);
}

std::uint64_t ClientKeys::of(const http::RequestHead& request, std::string_view peer, const KeyHash& hash) const {
  if (source_ == FairnessKey::Source::none) return 0;
  if (source_ == FairnessKey::Source::header) return hash(request.field(header_));
  const std::string_view client = address(request, peer);
  config::IpBytes bytes;
  std::string_view host;
  if (!config::parse_host(client, bytes, host)) return hash(client);
  bytes = config::network_of(bytes, ipv6_prefix_);
  return hash({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::string_view ClientKeys::address(const http::RequestHead& request, std::string_view peer) const {
  if (!request.has(http::FieldName::x_forwarded_for)) return peer;
  config::ForwardedFor forwarded(peer, config::trusts(trusted_proxies_, peer), trusted_proxies_);
  for (auto field = request.fields.rbegin(); field != request.fields.rend() && forwarded.open(); ++field) {
    if (field->id == http::FieldName::x_forwarded_for) forwarded.line(field->value);
  }
  return forwarded.client();
}

std::optional<std::chrono::milliseconds> request_timeout(const http::RequestHead& request) {
  if (!request.has(http::FieldName::x_request_timeout)) return std::nullopt;
  const std::string_view text = request.field("x-request-timeout");
  std::uint32_t milliseconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), milliseconds);
  const std::chrono::milliseconds timeout(milliseconds);
  if (error != std::errc() || end != text.data() + text.size() || timeout > kLongestTimeout) return std::nullopt;
  return timeout;
}

}  // namespace spillway::classify
