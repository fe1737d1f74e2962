#include "proxy/classify/client_key.hpp"

#include <charconv>
#include <random>

#include "proxy/http/grammar.hpp"

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

/// The last element of a comma-separated list, which loses it.
std::string_view take_last(std::string_view& list) {
  const std::size_t comma = list.rfind(',');
  const std::string_view last = comma == std::string_view::npos ? list : list.substr(comma + 1);
  list = comma == std::string_view::npos ? std::string_view() : list.substr(0, comma);
  return http::trim(last);
}

/// Each proxy on the way has appended the address it was asked from: what stands before the last that no trusted
/// proxy has, anybody may have written.
std::string_view client_address(const Settings& settings, const http::RequestHead& request, std::string_view peer) {
  std::string_view client = peer;
  if (!request.has(http::FieldName::x_forwarded_for)) return client;
  for (auto field = request.fields.rbegin(); field != request.fields.rend(); ++field) {
    if (field->id != http::FieldName::x_forwarded_for) continue;
    for (std::string_view list = field->value; !list.empty();) {
      if (!settings.trusts(client)) return client;
      const std::string_view earlier = take_last(list);
      if (!earlier.empty()) client = earlier;
    }
  }
  return client;
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
  const FairnessKey& key = settings.config.admission.fairness.key;
  if (key.source == Source::none) return 0;
  const std::string_view text =
      key.source == Source::header ? request.field(settings.fairness_header) : client_address(settings, request, peer);
  if (text.empty()) return 0;
  config::IpBytes address;
  if (key.source == Source::header || !config::parse(text, address)) return hash(text);
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
