#include "api/endpoints/field.hpp"

#include <charconv>

#include "proxy/text/utf8.hpp"

namespace api {

void add(FieldErrors& errors, std::string_view field, std::string message) {
  errors.push_back({std::string(field), std::move(message)});
}

std::string fault_of_text(std::string_view text, std::size_t max_characters) {
  if (text.empty()) return "must not be empty";
  if (!text::valid_utf8(text)) return "must be valid UTF-8";
  if (text::count_characters(text) > max_characters) {
    return "must not exceed " + std::to_string(max_characters) + " characters";
  }
  for (char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return "must not hold control characters";
  }
  return {};
}

std::optional<std::int64_t> parse_integer(std::string_view text, std::int64_t min, std::int64_t max) {
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < min || value > max) return std::nullopt;
  return value;
}

std::string must_be_integer(std::int64_t min, std::int64_t max) {
  return "must be an integer from " + std::to_string(min) + " to " + std::to_string(max);
}

}  // namespace api
