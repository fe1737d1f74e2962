#include "proxy/classify/client_key.hpp"

#include <algorithm>
#include <charconv>
#include <random>

#include "config/forwarded.hpp"
#include "proxy/classify/bearer.hpp"

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

/// The value of the first cookie of this name (RFC 6265, section 4.2.1); empty without one.
std::string_view cookie(const http::RequestHead& request, std::string_view name) {
  for (const http::Field& field : request.fields) {
    if (!http::equals_ignoring_case(field.name, "cookie")) continue;
    for (std::string_view rest = field.value; !rest.empty();) {
      const std::size_t end = std::min(rest.find(';'), rest.size());
      std::string_view pair = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      pair.remove_prefix(std::min(pair.find_first_not_of(' '), pair.size()));
      if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=') {
        return pair.substr(name.size() + 1);
      }
    }
  }
  return {};
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

ClientKeys::ClientKeys(const ClientKey& key, int ipv6_prefix, Nameless nameless)
    : source_(key.source), name_(key.name), nameless_(nameless), ipv6_prefix_(ipv6_prefix) {
  if (source_ != ClientKey::Source::header) return;
  std::transform(name_.begin(), name_.end(), name_.begin(), http::to_lower);
}

std::uint64_t ClientKeys::of(const http::RequestHead& request, std::string_view address, const KeyHash& hash,
                             std::string_view certificate) const {
  if (source_ == ClientKey::Source::none) return 0;
  if (source_ != ClientKey::Source::client_ip) {
    const std::string_view name = this->name(request, certificate);
    if (!name.empty() || nameless_ == Nameless::one_client) return hash(name);
  }
  config::IpBytes bytes;
  std::string_view host;
  if (!config::parse_host(address, bytes, host)) return hash(address);
  bytes = config::network_of(bytes, ipv6_prefix_);
  return hash({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

/// What the header, cookie, token or certificate says. Empty without one.
std::string_view ClientKeys::name(const http::RequestHead& request, std::string_view certificate) const {
  switch (source_) {
    case ClientKey::Source::header:
      return request.field(name_);
    case ClientKey::Source::cookie:
      return cookie(request, name_);
    case ClientKey::Source::bearer:
      return bearer_identity(request.field("authorization"));
    case ClientKey::Source::certificate:
      return certificate;
    case ClientKey::Source::none:
    case ClientKey::Source::client_ip:
      break;
  }
  return {};
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
