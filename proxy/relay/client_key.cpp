#include "proxy/relay/client_key.hpp"

#include <charconv>
#include <random>

#include "config/forwarded.hpp"

namespace spillway::relay {

namespace {

constexpr std::uint64_t kPrime = (std::uint64_t{1} << 61) - 1;
constexpr std::chrono::milliseconds kLongestTimeout = std::chrono::hours(24);

std::uint64_t multiply(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = Wide{a} * b;
  const std::uint64_t sum = static_cast<std::uint64_t>(product & kPrime) + static_cast<std::uint64_t>(product >> 61);
  return sum >= kPrime ? sum - kPrime : sum;
}

std::string_view client_address(const Settings& settings, const http::RequestHead& request, std::string_view peer) {
  if (!request.has(http::FieldName::x_forwarded_for)) return peer;
  config::ForwardedFor forwarded(peer, settings.trusts(peer), settings.config.trusted_proxies);
  for (auto field = request.fields.rbegin(); field != request.fields.rend() && forwarded.open(); ++field) {
    if (field->id == http::FieldName::x_forwarded_for) forwarded.line(field->value);
  }
  return forwarded.client();
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
  // The table takes the low bits: let all count (the finaliser of MurmurHash3).
  sum = (sum ^ (sum >> 33)) * 0xff51afd7ed558ccdU;
  sum = (sum ^ (sum >> 33)) * 0xc4ceb9fe1a85ec53U;
  sum ^= sum >> 33;
  return sum == 0 ? 1 : sum;
}

std::uint64_t client_key(const Settings& settings, const http::RequestHead& request, std::string_view peer,
                         const KeyHash& hash) {
  using Source = FairnessKey::Source;
  const FairnessConfig& fairness = settings.config.admission.fairness;
  if (fairness.key.source == Source::none) return 0;
  if (fairness.key.source == Source::header) return hash(request.field(settings.fairness_header));
  const std::string_view client = client_address(settings, request, peer);
  config::IpBytes address;
  std::string_view host;
  if (!config::parse_host(client, address, host)) return hash(client);
  address = config::network_of(address, fairness.ipv6_prefix);
  return hash({reinterpret_cast<const char*>(address.data()), address.size()});
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

}  // namespace spillway::relay
