#include "proxy/telemetry/trace_ids.hpp"

#include <algorithm>
#include <cstring>

namespace spillway::telemetry {

namespace {

/// 16 hex digits, two at a time.
void write_hex(std::uint64_t value, char* out) {
  static constexpr auto kPairs = [] {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::array<std::array<char, 2>, 256> pairs{};
    for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i] = {kDigits[i >> 4], kDigits[i & 15]};
    return pairs;
  }();
  for (int i = 14; i >= 0; i -= 2, value >>= 8) std::memcpy(out + i, kPairs[value & 255].data(), 2);
}

bool is_lower_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool all_zero(std::string_view text) {
  return text.find_first_not_of('0') == std::string_view::npos;
}

std::mt19937_64 seeded() {
  std::random_device device;
  std::seed_seq seed{device(), device(), device(), device(), device(), device(), device(), device()};
  return std::mt19937_64(seed);
}

}  // namespace

bool sane_request_id(std::string_view id) {
  constexpr std::string_view kPunctuation = "._:/+=-";
  return !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kPunctuation.find(c) != std::string_view::npos;
  });
}

bool valid_traceparent(std::string_view value) {
  return value.size() == 55 && value.starts_with("00-") && value[35] == '-' && value[52] == '-' &&
         is_lower_hex(value.substr(3, 32)) && is_lower_hex(value.substr(36, 16)) && is_lower_hex(value.substr(53)) &&
         !all_zero(value.substr(3, 32)) && !all_zero(value.substr(36, 16));
}

IdGenerator::IdGenerator() : random_(seeded()) {}

RequestId IdGenerator::request_id() {
  RequestId id;
  write_hex(random_(), id.data());
  write_hex(random_(), id.data() + 16);
  return id;
}

Traceparent IdGenerator::start_trace(const RequestId& id) {
  Traceparent value;
  char* out = std::copy_n("00-", 3, value.data());
  out = std::copy_n(id.data(), id.size(), out);
  *out++ = '-';
  write_hex(random_() | 1, out);  // never all zero
  std::copy_n("-00", 3, out + 16);
  return value;
}

Traceparent IdGenerator::continue_trace(std::string_view parent) {
  Traceparent value;
  std::copy_n(parent.data(), value.size(), value.data());
  write_hex(random_() | 1, value.data() + 36);
  return value;
}

}  // namespace spillway::telemetry
