#include "api/server/validator.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace api {

namespace {

void skip(std::string_view& text, std::string_view characters) {
  text.remove_prefix(std::min(text.find_first_not_of(characters), text.size()));
}

}  // namespace

/// Eight bytes at a time. Each step is invertible, so one changed word always changes the hash. No cryptographic
/// strength is needed, since a client can deceive only itself.
std::string entity_tag(std::string_view body) {
  constexpr std::uint64_t kFactor = 0x9e3779b97f4a7c15;  // odd, its bits are well spread
  std::uint64_t hash = body.size();                      // tells bodies apart that differ in zeros at the end
  const auto mix = [&hash](std::uint64_t word) {
    hash = (hash ^ word) * kFactor;
    hash ^= hash >> 32;
  };
  std::uint64_t word = 0;
  for (; body.size() >= sizeof(word); body.remove_prefix(sizeof(word))) {
    std::memcpy(&word, body.data(), sizeof(word));
    mix(word);
  }
  word = 0;
  if (!body.empty()) std::memcpy(&word, body.data(), body.size());
  mix(word);
  mix(0);
  // Six bits a character: with its quotes it needs no allocation.
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  constexpr std::size_t kCharacters = 11;
  std::string tag = "\"";
  for (std::size_t i = 0; i < kCharacters; ++i, hash >>= 6) tag += kDigits[hash & 0x3F];
  return tag += '"';
}

bool none_match_lists(std::string_view field, std::string_view tag) {
  constexpr std::string_view kSpace = " \t", kBetween = " \t,";
  skip(field, kBetween);
  if (field.starts_with('*')) {
    field.remove_prefix(1);
    skip(field, kSpace);
    return field.empty();
  }
  while (!field.empty()) {
    if (field.starts_with("W/")) field.remove_prefix(2);
    const std::size_t end = field.starts_with('"') ? field.find('"', 1) : std::string_view::npos;
    if (end == std::string_view::npos) return false;
    if (field.substr(0, end + 1) == tag) return true;
    field.remove_prefix(end + 1);
    skip(field, kBetween);
  }
  return false;
}

}  // namespace api
