#include <algorithm>

#include "proxy/config/fields.hpp"
#include "proxy/http/grammar.hpp"

namespace spillway {
namespace {

constexpr std::string_view kAutomatic = "auto";
constexpr std::string_view kWriteAutomatic = "write auto";

/// Whether `auto` is meant, in another spelling.
bool means_automatic(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text != kAutomatic && (lower == kAutomatic || lower == "automatic");
}

struct ClientKeyWord {
  std::string_view word;
  ClientKey::Source source;
};
constexpr ClientKeyWord kClientKeys[] = {{"none", ClientKey::Source::none},
                                         {"client_ip", ClientKey::Source::client_ip},
                                         {"bearer", ClientKey::Source::bearer},
                                         {"client_certificate", ClientKey::Source::certificate}};
constexpr ClientKeyWord kNamedClientKeys[] = {{"header:", ClientKey::Source::header},
                                              {"cookie:", ClientKey::Source::cookie}};

}  // namespace

config::Scalar automatic_or(std::optional<int>& value, config::Range<int> range) {
  config::Scalar scalar;
  scalar.set = [&value, range](std::string_view text) {
    if (text == kAutomatic) return value.reset(), true;
    int fixed = 0;
    if (!config::integer(fixed, range).set(text)) return false;
    value = fixed;
    return true;
  };
  scalar.print = [&value] {
    return std::optional<std::string>(value ? std::to_string(*value) : std::string(kAutomatic));
  };
  int any = 0;
  const config::Scalar number = config::integer(any, range);
  scalar.words = "auto, or " + number.words;
  scalar.schema = number.schema;
  scalar.schema.push_back(config::string_schema("^auto$"));
  scalar.literal = value.has_value();
  scalar.hint = [hint = number.hint](std::string_view text) {
    return means_automatic(text) ? std::string(kWriteAutomatic) : hint(text);
  };
  return scalar;
}

int most_upstream_connections(const ProxyConfig& c) {
  if (c.upstream.max_connections) return *c.upstream.max_connections;
  return std::max(kAutoConnections, c.admission.max_concurrent + c.upstream.max_idle + c.admission.streams.max);
}

admission::Policy admission_policy(const ProxyConfig& c) {
  admission::Policy policy = c.admission;
  for (const ClassConfig& each : c.classes) {
    policy.classes.push_back(each);
    policy.classes.back().rules = std::max(1, static_cast<int>(each.match.size()));
  }
  policy.cohorts = c.cohorts.key.source != ClientKey::Source::none;
  if (c.upstream.health.mode != HealthMode::off) policy.poll_interval = c.upstream.health.interval;
  return policy;
}

bool parse(std::string_view text, ClientKey& value) {
  for (const auto& [word, source] : kClientKeys) {
    if (text == word) return value = {source, {}}, true;
  }
  for (const auto& [prefix, source] : kNamedClientKeys) {
    if (!text.starts_with(prefix) || !http::is_token(text.substr(prefix.size()))) continue;
    return value = {source, std::string(text.substr(prefix.size()))}, true;
  }
  return false;
}

std::string to_text(const ClientKey& value) {
  for (const auto& [word, source] : kClientKeys) {
    if (value.source == source) return std::string(word);
  }
  for (const auto& [prefix, source] : kNamedClientKeys) {
    if (value.source == source) return std::string(prefix) + value.name;
  }
  return {};
}

std::string_view words_for(const ClientKey& /*value*/) {
  return "none, client_ip, bearer, client_certificate, header:NAME or cookie:NAME";
}

std::string_view pattern_for(const ClientKey& /*value*/) {
  return "^(none|client_ip|bearer|client_certificate|(header|cookie):[A-Za-z0-9!#$%&'*+.^_`|~-]+)$";
}

}  // namespace spillway

namespace spillway::admission {
namespace {

constexpr std::string_view kRange = "..";
constexpr config::Range<Duration> kRetryAfter = {1s, 1h};
constexpr std::string_view kWrite = "write ";

/// A time as `parse` accepts it; empty if what it was meant to be cannot be told.
std::string corrected(std::string_view time) {
  Duration any{};
  const config::Scalar scalar = config::duration(any, kRetryAfter);
  while (time.starts_with(' ')) time.remove_prefix(1);
  while (time.ends_with(' ')) time.remove_suffix(1);
  if (scalar.set(time)) return std::string(time);
  const std::string hint = scalar.hint(time);
  return hint.starts_with(kWrite) ? hint.substr(kWrite.size()) : "";
}

}  // namespace

bool parse(std::string_view text, RetryAfterPolicy& value) {
  RetryAfterPolicy candidate;
  candidate.automatic = text == kAutomatic;
  if (!candidate.automatic) {
    const std::size_t dots = text.find(kRange);
    const std::string_view least = text.substr(0, dots);
    const std::string_view most = dots == std::string_view::npos ? least : text.substr(dots + kRange.size());
    if (!config::duration(candidate.least, kRetryAfter).set(least)) return false;
    if (!config::duration(candidate.most, kRetryAfter).set(most)) return false;
    if (candidate.most < candidate.least) return false;
  }
  value = candidate;
  return true;
}

std::string to_text(const RetryAfterPolicy& value) {
  if (value.automatic) return std::string(kAutomatic);
  const auto print = [](Duration d) { return config::duration(d, kRetryAfter).print().value_or(""); };
  return value.least == value.most ? print(value.least) : print(value.least).append(kRange).append(print(value.most));
}

std::string hint_for(std::string_view text, const RetryAfterPolicy& /*value*/) {
  if (means_automatic(text)) return std::string(kWriteAutomatic);
  RetryAfterPolicy any;
  const auto advise = [&](const std::string& better) {
    return parse(better, any) ? std::string(kWrite) + better : std::string();
  };
  if (std::string time = corrected(text); !time.empty()) return advise(time);
  for (const std::string_view between : {"...", "..", "\u2026", "\u2013", "-", " to "}) {
    const std::size_t at = text.find(between);
    if (at == std::string_view::npos) continue;
    return advise(corrected(text.substr(0, at)).append(kRange).append(corrected(text.substr(at + between.size()))));
  }
  return {};
}

std::string doubt_for(std::string_view text, const RetryAfterPolicy& /*value*/) {
  Duration any{};
  return text == kAutomatic || text.find(kRange) != text.npos ? "" : config::duration(any, kRetryAfter).doubt(text);
}

std::string_view words_for(const RetryAfterPolicy& /*value*/) {
  return "auto, a duration from 1s to 1h, or a range of two such as 4s..8s";
}

std::string_view pattern_for(const RetryAfterPolicy& /*value*/) {
  return R"(^(auto|[0-9]+(\.[0-9]+)?(us|ms|s|m|h)?(\.\.[0-9]+(\.[0-9]+)?(us|ms|s|m|h)?)?)$)";
}

}  // namespace spillway::admission
