#include "proxy/classify/conditions.hpp"

#include <algorithm>

#include "config/forwarded.hpp"

namespace spillway::classify {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), http::to_lower);
  return text;
}

std::string resolved(const std::string& path) {
  return path.empty() ? std::string() : read_path(path).resolved;
}

/// Whether one path is the other one with a slash at its end.
bool differ_by_a_slash(std::string_view a, std::string_view b) {
  if (a.size() < b.size()) std::swap(a, b);
  return a.size() == b.size() + 1 && a.back() == '/' && a.starts_with(b);
}

bool is(std::string_view path, std::string_view rule) {
  return rule.empty() || path == rule;
}

bool begins(std::string_view path, std::string_view rule) {
  return path.starts_with(rule);
}

Match both(Match a, Match b) {
  return std::min(a, b);
}

Match negated(Match match) {
  if (match == Match::maybe) return Match::maybe;
  return match == Match::yes ? Match::no : Match::yes;
}

Match when(bool holds) {
  return holds ? Match::yes : Match::no;
}

/// A host without its port: the bytes of an address, which may be written in several ways, or a name in lower case
/// without the dot that ends an absolute one.
std::string host_of(std::string_view authority) {
  config::IpBytes address;
  std::string_view unused;
  if (config::parse_host(authority, address, unused)) {
    return {reinterpret_cast<const char*>(address.data()), address.size()};
  }
  std::string host = lower(std::string(authority.substr(0, authority.rfind(':'))));
  if (host.ends_with('.')) host.pop_back();
  return host;
}

/// Attributes of a subject; a comma that belongs to a value is escaped by a backslash (RFC 4514).
std::vector<std::string> attributes_of(std::string_view subject) {
  std::vector<std::string> result;
  std::string attribute;
  for (std::size_t i = 0; i <= subject.size(); ++i) {
    if (i == subject.size() || subject[i] == ',') {
      if (!attribute.empty()) result.push_back(std::move(attribute));
      attribute.clear();
      continue;
    }
    if (attribute.empty() && subject[i] == ' ') continue;
    attribute += subject[i];
    if (subject[i] == '\\' && i + 1 < subject.size()) attribute += subject[++i];
  }
  return result;
}

Match matches_path(const PathExpression& expression, const Facts& facts) {
  if (facts.any_path) return Match::maybe;
  const bool literal = expression.matches(facts.literal_path);
  const bool resolved = facts.resolved_path == facts.literal_path ? literal : expression.matches(facts.resolved_path);
  if (literal && resolved) return Match::yes;
  if (literal || resolved) return Match::maybe;
  std::string other(facts.resolved_path);
  if (other.size() > 1 && other.ends_with('/')) {
    other.pop_back();
  } else {
    other += '/';
  }
  return expression.matches(other) ? Match::maybe : Match::no;
}

}  // namespace

Facts::Read& Facts::read() {
  if (!read_) read_ = std::make_unique<Read>();
  return *read_;
}

void Facts::read_path() {
  const Readings& readings = read().path = classify::read_path(head.path);
  literal_path = readings.literal;
  resolved_path = readings.resolved;
  any_path = readings.anything;
}

const Parameters& Facts::query() {
  std::optional<Parameters>& query = read().query;
  if (!query) query = Parameters::of_query(head.query);
  return *query;
}

const Parameters& Facts::cookies() {
  std::optional<Parameters>& cookies = read().cookies;
  if (!cookies) cookies = Parameters::of_cookies(head.fields);
  return *cookies;
}

struct Conditions::Rare {
  std::optional<PathExpression> path_regex;
  std::string host;    ///< empty: any
  bool below = false;  ///< `host` begins with a dot, and any name that ends in it will do
  std::optional<WantedParameter> query, cookie;
  std::vector<std::string> attributes;
  std::shared_ptr<const Conditions> except;

  Match of_host(std::string_view authority) const;
  Match of_certificate(std::string_view subject) const;
};

Match Conditions::Rare::of_host(std::string_view authority) const {
  if (authority.find('%') != std::string_view::npos) return Match::maybe;
  const std::string name = host_of(authority);
  return when(below ? name.size() > host.size() && name.ends_with(host) : name == host);
}

Match Conditions::Rare::of_certificate(std::string_view subject) const {
  const std::vector<std::string> all = attributes_of(subject);
  return when(std::all_of(attributes.begin(), attributes.end(), [&](const std::string& each) {
    return std::find(all.begin(), all.end(), each) != all.end();
  }));
}

Conditions::Conditions(const MatchRule& rule)
    : Conditions(rule, rule.except.any() ? std::shared_ptr<const Conditions>(new Conditions(rule.except, nullptr))
                                         : nullptr) {}

Conditions::Conditions(const MatchConditions& c, std::shared_ptr<const Conditions> except)
    : path_(unescaped(c.path.value_or(""))),
      path_prefix_(unescaped(c.path_prefix.value_or(""))),
      method_(c.method.value_or("")),
      header_(lower(c.header.value_or(""))),
      value_(c.value.value_or("")),
      resolved_path_(resolved(path_)),
      resolved_prefix_(resolved(path_prefix_)),
      any_value_(!c.value.has_value()) {
  if (!c.path_regex && !c.host && !c.query && !c.cookie && !c.client_certificate && !except) return;
  Rare rare;
  if (c.path_regex) rare.path_regex.emplace(*c.path_regex);
  if (c.host) {
    rare.below = c.host->starts_with("*.");
    rare.host = rare.below ? lower(c.host->substr(1)) : host_of(*c.host);
  }
  if (c.query) rare.query.emplace(*c.query, c.value);
  if (c.cookie) rare.cookie.emplace(*c.cookie, c.value);
  if (c.client_certificate) rare.attributes = attributes_of(*c.client_certificate);
  rare.except = std::move(except);
  rare_ = std::make_shared<const Rare>(std::move(rare));
}

Match Conditions::of_path(const Facts& facts) const {
  if (facts.any_path) return Match::maybe;
  const std::string_view read = facts.resolved_path;
  const bool literal = is(facts.literal_path, path_) && begins(facts.literal_path, path_prefix_);
  const bool resolved = is(read, resolved_path_) && begins(read, resolved_prefix_);
  if (literal && resolved) return Match::yes;
  const bool nearly = (is(read, resolved_path_) || differ_by_a_slash(read, resolved_path_)) &&
                      (begins(read, resolved_prefix_) || differ_by_a_slash(read, resolved_prefix_));
  return literal || nearly ? Match::maybe : Match::no;
}

/// `maybe`: there is another field of the name with another value. Some servers read the first, others the last.
Match Conditions::of_header(const http::RequestHead& head) const {
  bool found = false, otherwise = false;
  for (const http::Field& field : head.fields) {
    if (!http::equals_lower(field.name, header_)) continue;
    const bool same = any_value_ || field.value == value_;
    found = found || same;
    otherwise = otherwise || !same;
  }
  if (!found) return Match::no;
  return otherwise ? Match::maybe : Match::yes;
}

Match Conditions::with_rare(Match match, Facts& facts) const {
  const Rare& rare = *rare_;
  if (!rare.host.empty()) match = both(match, rare.of_host(facts.head.authority));
  if (!rare.attributes.empty()) match = both(match, rare.of_certificate(facts.certificate));
  if (match != Match::no && rare.path_regex) match = both(match, matches_path(*rare.path_regex, facts));
  if (match != Match::no && rare.query) match = both(match, rare.query->in(facts.query()));
  if (match != Match::no && rare.cookie) match = both(match, rare.cookie->in(facts.cookies()));
  if (match != Match::no && rare.except) match = both(match, negated(rare.except->of(facts)));
  return match;
}

}  // namespace spillway::classify
