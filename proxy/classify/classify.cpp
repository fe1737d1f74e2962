#include "proxy/classify/classify.hpp"

#include <algorithm>

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

}  // namespace

std::vector<std::string> class_names(const std::vector<ClassConfig>& classes) {
  std::vector<std::string> names{std::string(admission::kDefaultClass)};
  for (const ClassConfig& c : classes) names.push_back(c.name);
  return names;
}

Classifier::Classifier(const std::vector<ClassConfig>& classes, double default_shed_at) {
  int index = kDefaultClassIndex;
  ranks_.emplace_back(default_shed_at, 0, false);
  for (const ClassConfig& c : classes) {
    ++index;
    ranks_.emplace_back(c.shed_at, c.reserve, c.name == kCriticalClass);
    for (const MatchRule& match : c.match) {
      Rule& rule = rules_.emplace_back();
      rule.class_index = index;
      rule.path = unescaped(match.path.value_or(""));
      rule.path_prefix = unescaped(match.path_prefix.value_or(""));
      rule.resolved_path = resolved(rule.path);
      rule.resolved_prefix = resolved(rule.path_prefix);
      rule.method = match.method.value_or("");
      rule.header = lower(match.header.value_or(""));
      rule.value = match.value.value_or("");
      rule.any_value = !match.value.has_value();
    }
  }
}

bool Classifier::rest_matches(const Rule& rule, const http::RequestHead& head) {
  if (!rule.method.empty() && head.method != rule.method) return false;
  if (rule.header.empty()) return true;
  return std::any_of(head.fields.begin(), head.fields.end(), [&](const http::Field& field) {
    return http::equals_lower(field.name, rule.header) && (rule.any_value || field.value == rule.value);
  });
}

Classifier::Match Classifier::path_matches(const Rule& rule, const Paths& paths) {
  if (rule.path.empty() && rule.path_prefix.empty()) return Match::yes;
  if (paths.anything) return Match::maybe;
  const bool literal = is(paths.literal, rule.path) && begins(paths.literal, rule.path_prefix);
  const bool resolved = is(paths.resolved, rule.resolved_path) && begins(paths.resolved, rule.resolved_prefix);
  if (literal && resolved) return Match::yes;
  const bool nearly =
      (is(paths.resolved, rule.resolved_path) || differ_by_a_slash(paths.resolved, rule.resolved_path)) &&
      (begins(paths.resolved, rule.resolved_prefix) || differ_by_a_slash(paths.resolved, rule.resolved_prefix));
  return literal || nearly ? Match::maybe : Match::no;
}

int Classifier::classify(const http::RequestHead& head) const {
  Readings readings;
  Paths paths{head.path, head.path};
  if (!is_plain(head.path)) {
    readings = read_path(head.path);
    paths = {readings.literal, readings.resolved, readings.anything};
  }
  int worst = -1;
  const auto note = [&](int index) {
    if (worst < 0 || ranks_[static_cast<std::size_t>(index)] <= ranks_[static_cast<std::size_t>(worst)]) worst = index;
  };
  for (const Rule& rule : rules_) {
    const Match path = path_matches(rule, paths);
    if (path == Match::no || !rest_matches(rule, head)) continue;
    note(rule.class_index);
    if (path == Match::yes) return worst;
  }
  note(kDefaultClassIndex);
  return worst;
}

}  // namespace spillway::classify
