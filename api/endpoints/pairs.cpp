#include "api/endpoints/pairs.hpp"

#include <algorithm>

#include "proxy/text/hex.hpp"

namespace api {

namespace {

/// No endpoint has more than five; the rest is refused unread.
constexpr std::size_t kMaxPairs = 32;

/// Decodes `%20` and `+` as browsers and servers do (WHATWG URL, 5.1). An invalid escape is kept as it is.
std::string decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? text::hex_value(text[i + 1]) : -1;
    const int low = high >= 0 ? text::hex_value(text[i + 2]) : -1;
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

}  // namespace

bool Pairs::parse(std::string_view text, std::string_view field, FieldErrors& errors) {
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    if (pair.empty()) continue;
    if (items_.size() == kMaxPairs) {
      add(errors, field, "must not have more than " + std::to_string(kMaxPairs) + " parameters");
      return false;
    }
    const std::size_t equals = std::min(pair.find('='), pair.size());
    items_.push_back({decode(pair.substr(0, equals)), decode(pair.substr(std::min(equals + 1, pair.size())))});
  }
  return true;
}

std::optional<std::string> Pairs::take(std::string_view name, FieldErrors& errors) {
  std::optional<std::string> found;
  for (auto& [key, value] : items_) {
    if (key != name) continue;
    if (found) {
      add(errors, name, "must not be given more than once");
      return std::nullopt;
    }
    found = std::move(value);
  }
  return found;
}

std::optional<std::string> Pairs::take_text(std::string_view name, FieldErrors& errors) {
  auto text = take(name, errors);
  if (!text) return std::nullopt;
  if (auto fault = fault_of_text(*text, kMaxTextCharacters); !fault.empty()) {
    add(errors, name, std::move(fault));
    return std::nullopt;
  }
  return text;
}

std::int64_t Pairs::take_integer(std::string_view name, std::int64_t fallback, std::int64_t min, std::int64_t max,
                                 FieldErrors& errors) {
  auto text = take(name, errors);
  if (!text) return fallback;
  auto value = parse_integer(*text, min, max);
  if (!value) add(errors, name, must_be_integer(min, max));
  return value.value_or(fallback);
}

}  // namespace api
