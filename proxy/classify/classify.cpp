#include "proxy/classify/classify.hpp"

namespace spillway::classify {

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
    for (int rule = 0; const MatchRule& match : c.match) rules_.push_back({{index, rule++}, Conditions(match)});
  }
}

Classified Classifier::classify(const http::RequestHead& head, std::string_view certificate) const {
  Facts facts(head, certificate);
  Classified worst{.class_index = -1};
  const auto rank = [this](Classified one) { return ranks_[static_cast<std::size_t>(one.class_index)]; };
  const auto note = [&](Classified match) {
    if (worst.class_index < 0 || rank(match) <= rank(worst)) worst = match;
  };
  for (const Rule& rule : rules_) {
    const Match match = rule.conditions.of(facts);
    if (match == Match::no) continue;
    note(rule.match);
    if (match == Match::yes) return worst;
  }
  note({});
  return worst;
}

}  // namespace spillway::classify
