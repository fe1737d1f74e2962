#include <algorithm>

#include "proxy/config/fields.hpp"

namespace spillway {
namespace {

constexpr std::string_view kAutomatic = "auto";
constexpr std::string_view kHeader = "header:";
constexpr config::Range<Duration> kRetryAfter = {1s, 1h};

}  // namespace

bool is_token(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), fits);
}

bool parse(std::string_view text, RetryAfter& value) {
  RetryAfter candidate;
  candidate.automatic = text == kAutomatic;
  if (!candidate.automatic && !config::duration(candidate.fixed, kRetryAfter).set(text)) return false;
  value = candidate;
  return true;
}

std::string to_text(const RetryAfter& value) {
  Duration fixed = value.fixed;
  return value.automatic ? std::string(kAutomatic) : config::duration(fixed, kRetryAfter).print().value_or("");
}

std::string_view words_for(const RetryAfter& /*value*/) {
  return "auto, or a duration from 1s to 1h";
}

std::string_view pattern_for(const RetryAfter& /*value*/) {
  return R"(^(auto|[0-9]+(\.[0-9]+)?(us|ms|s|m|h)?)$)";
}

bool parse(std::string_view text, FairnessKey& value) {
  using Source = FairnessKey::Source;
  if (text == "none") {
    value = {Source::none, {}};
  } else if (text == "client_ip") {
    value = {Source::client_ip, {}};
  } else if (text.starts_with(kHeader) && is_token(text.substr(kHeader.size()))) {
    value = {Source::header, std::string(text.substr(kHeader.size()))};
  } else {
    return false;
  }
  return true;
}

std::string to_text(const FairnessKey& value) {
  switch (value.source) {
    case FairnessKey::Source::client_ip:
      return "client_ip";
    case FairnessKey::Source::header:
      return std::string(kHeader) + value.header;
    case FairnessKey::Source::none:
      break;
  }
  return "none";
}

std::string_view words_for(const FairnessKey& /*value*/) {
  return "none, client_ip or header:NAME";
}

std::string_view pattern_for(const FairnessKey& /*value*/) {
  return "^(none|client_ip|header:[A-Za-z0-9!#$%&'*+.^_`|~-]+)$";
}

}  // namespace spillway
