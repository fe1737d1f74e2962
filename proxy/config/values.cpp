#include <algorithm>

#include "proxy/config/fields.hpp"
#include "proxy/http/grammar.hpp"

namespace spillway {
namespace {

constexpr std::string_view kAutomatic = "auto";
constexpr std::string_view kHeader = "header:";

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
  return scalar;
}

int most_upstream_connections(const ProxyConfig& c) {
  if (c.upstream.max_connections) return *c.upstream.max_connections;
  return std::max(kAutoConnections, c.admission.max_concurrent + c.upstream.max_idle);
}

admission::Policy admission_policy(const ProxyConfig& c) {
  admission::Policy policy = c.admission;
  policy.classes.insert(policy.classes.end(), c.classes.begin(), c.classes.end());
  policy.poll_interval = c.upstream.health.interval;
  return policy;
}

bool parse(std::string_view text, FairnessKey& value) {
  using Source = FairnessKey::Source;
  if (text == "none") {
    value = {Source::none, {}};
  } else if (text == "client_ip") {
    value = {Source::client_ip, {}};
  } else if (text.starts_with(kHeader) && http::is_token(text.substr(kHeader.size()))) {
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

namespace spillway::admission {
namespace {

constexpr std::string_view kRange = "..";
constexpr config::Range<Duration> kRetryAfter = {1s, 1h};

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

std::string_view words_for(const RetryAfterPolicy& /*value*/) {
  return "auto, a duration from 1s to 1h, or a range of two such as 4s..8s";
}

std::string_view pattern_for(const RetryAfterPolicy& /*value*/) {
  return R"(^(auto|[0-9]+(\.[0-9]+)?(us|ms|s|m|h)?(\.\.[0-9]+(\.[0-9]+)?(us|ms|s|m|h)?)?)$)";
}

}  // namespace spillway::admission
