#include "proxy/config/log_fields.hpp"

#include <algorithm>

#include "config/suggest.hpp"

namespace spillway {

namespace {

constexpr std::string_view kDefault = "default";

std::string joined(std::string_view separator) {
  std::string text(kDefault);
  for (const std::string_view name : kLogFieldNames) text.append(separator).append(name);
  return text;
}

}  // namespace

LogFieldSet all_of(const std::vector<LogFieldChoice>& choices) {
  LogFieldSet fields = 0;
  for (const LogFieldChoice& choice : choices) fields |= choice.fields;
  return fields;
}

bool parse(std::string_view text, LogFieldChoice& value) {
  if (text == kDefault) return value.fields = kAllLogFields, true;
  const auto* const found = std::find(kLogFieldNames.begin(), kLogFieldNames.end(), text);
  if (found == kLogFieldNames.end()) return false;
  value.fields = LogFieldSet{1} << (found - kLogFieldNames.begin());
  return true;
}

std::string to_text(const LogFieldChoice& value) {
  for (std::size_t i = 0; i < kLogFieldNames.size(); ++i) {
    if (value.fields == LogFieldSet{1} << i) return std::string(kLogFieldNames[i]);
  }
  return std::string(kDefault);
}

std::string_view words_for(const LogFieldChoice& /*value*/) {
  static const std::string kWords = "one of " + joined(", ");
  return kWords;
}

std::string_view pattern_for(const LogFieldChoice& /*value*/) {
  static const std::string kPattern = "^(" + joined("|") + ")$";
  return kPattern;
}

std::string hint_for(std::string_view text, const LogFieldChoice& /*value*/) {
  const std::string name = config::nearest(text, {kLogFieldNames.begin(), kLogFieldNames.end()});
  return name.empty() ? "" : "did you mean " + name + "?";
}

}  // namespace spillway
