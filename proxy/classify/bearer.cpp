#include "proxy/classify/bearer.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "proxy/http/message.hpp"

namespace spillway::classify {
namespace {

/// Bytes of claims that are decoded: room for those of any usual token. Of a longer one the token is the identity.
constexpr std::size_t kMostClaims = 2048;

constexpr std::string_view kScheme = "bearer ";

int value_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '-') return 62;
  return c == '_' ? 63 : -1;
}

/// Decodes base64url without padding (RFC 4648, section 5). Empty if it is none, or too long for `buffer`.
std::string_view decoded(std::string_view text, std::array<char, kMostClaims>& buffer) {
  if (text.size() / 4 * 3 + 3 > buffer.size()) return {};
  std::size_t size = 0;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int value = value_of(c);
    if (value < 0) return {};
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    buffer[size++] = static_cast<char>(bits >> count & 0xff);
  }
  return {buffer.data(), size};
}

/// The string that begins at the quote at `at`, without its quotes; `at` is then behind it. Escapes stay as they are.
std::string_view string_at(std::string_view json, std::size_t& at) {
  const std::size_t begin = ++at;
  while (at < json.size() && json[at] != '"') at += json[at] == '\\' ? 2 : 1;
  const std::size_t end = std::min(at, json.size());
  at = end + 1;
  return json.substr(begin, end - begin);
}

/// The value of the member "sub" of a JSON object, if it is a string; else empty. Other members are skipped, not
/// checked: the API does that.
std::string_view subject_of(std::string_view json) {
  int depth = 0;
  bool is_subject = false;  // the last string was "sub", and a colon came after it
  std::string_view name;
  for (std::size_t at = 0; at < json.size();) {
    const char c = json[at];
    if (c == '"') {
      const std::string_view text = string_at(json, at);
      if (is_subject) return text;
      name = text;
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (c == ':') is_subject = depth == 1 && name == "sub";
    if (c == ',') is_subject = false;
    ++at;
  }
  return {};
}

}  // namespace

std::string_view bearer_identity(std::string_view authorization) {
  if (authorization.size() < kScheme.size()) return {};
  const bool bearer = std::equal(kScheme.begin(), kScheme.end(), authorization.begin(),
                                 [](char expected, char c) { return http::to_lower(c) == expected; });
  if (!bearer) return {};
  std::string_view token = authorization.substr(kScheme.size());
  token.remove_prefix(std::min(token.find_first_not_of(' '), token.size()));
  const std::size_t first = token.find('.'), second = token.find('.', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return token;
  thread_local std::array<char, kMostClaims> claims;
  const std::string_view subject = subject_of(decoded(token.substr(first + 1, second - first - 1), claims));
  return subject.empty() ? token : subject;
}

}  // namespace spillway::classify
