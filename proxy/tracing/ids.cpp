#include "proxy/tracing/ids.hpp"

#include <algorithm>

#include "proxy/text/hex.hpp"

namespace tracing {

namespace {

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

bool valid_traceparent(std::string_view value) {
  constexpr std::size_t kSize = std::tuple_size_v<Traceparent>;
  if (value.size() < kSize || value[2] != '-' || value[35] != '-' || value[52] != '-') return false;
  const std::string_view version = value.substr(0, 2);
  const bool later = is_lower_hex(version) && version != "00" && version != "ff";
  if (version != "00" && !later) return false;
  if (value.size() > kSize && (!later || value[kSize] != '-')) return false;
  return is_lower_hex(value.substr(3, 32)) && is_lower_hex(value.substr(36, 16)) && is_lower_hex(value.substr(53, 2)) &&
         !all_zero(value.substr(3, 32)) && !all_zero(value.substr(36, 16));
}

IdGenerator::IdGenerator() : random_(seeded()) {}

text::RequestId IdGenerator::request_id() {
  const std::uint64_t high = random_();
  return text::request_id(high, random_());
}

bool IdGenerator::draw(double ratio) {
  constexpr int kUnused = 11;  // a double has 53 bits of a number
  return ratio > 0 && static_cast<double>(random_() >> kUnused) * 0x1p-53 < ratio;
}

SpanId IdGenerator::span_id() {
  SpanId id;
  text::write_hex(random_() | 1, id.data());
  return id;
}

Traceparent IdGenerator::start_trace(const text::RequestId& id, bool sampled) {
  Traceparent value;
  char* out = std::copy_n("00-", 3, value.data());
  out = std::copy_n(id.data(), id.size(), out);
  *out++ = '-';
  text::write_hex(random_() | 1, out);  // never all zero
  std::copy_n(sampled ? "-01" : "-00", 3, out + 16);
  return value;
}

Traceparent IdGenerator::continue_trace(std::string_view parent) {
  Traceparent value;
  std::copy_n(parent.data(), value.size(), value.data());
  value[0] = value[1] = '0';  // the version known here
  text::write_hex(random_() | 1, value.data() + 36);
  value[53] = '0';  // of the flags only `sampled` is known, and the others must not be set (section 3.2.2.5)
  value[54] = sampled(parent) ? '1' : '0';
  return value;
}

}  // namespace tracing
