#include "proxy/classify/parameters.hpp"

#include <algorithm>

#include "proxy/classify/path.hpp"
#include "proxy/http/grammar.hpp"

namespace spillway::classify {
namespace {

using Parameter = Parameters::Parameter;

/// Calls `each(part)` for each part of `text` between separators, unless it is empty.
template <class Each>
void for_each_part(std::string_view text, std::string_view separators, Each each) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(separators), text.size());
    if (end > 0) each(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

struct Pair {
  std::string_view name, value;
};

Pair split(std::string_view part) {
  const std::size_t equals = std::min(part.find('='), part.size());
  return {part.substr(0, equals), part.substr(std::min(equals + 1, part.size()))};
}

std::string with_blanks(std::string_view text) {
  std::string result(text);
  std::replace(result.begin(), result.end(), '+', ' ');
  return result;
}

std::string loose_name(std::string_view text) {
  const std::string decoded = fully_decoded(text);
  std::string name(http::trim(std::string_view(decoded).substr(0, decoded.find_first_of(std::string_view("[\0", 2)))));
  for (char& c : name) c = c == '.' || c == ' ' ? '_' : http::to_lower(c);
  return name;
}

std::string loose_value(std::string_view text) {
  const std::string decoded = fully_decoded(text);
  std::string_view value = http::trim(decoded);
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
  return std::string(value);
}

}  // namespace

Parameters Parameters::of_query(std::string_view query) {
  Parameters result;
  const std::string text = with_blanks(query);
  for_each_part(text, "&", [&](std::string_view part) {
    const Pair pair = split(part);
    result.strict.push_back({decoded_once(pair.name), decoded_once(pair.value)});
  });
  for_each_part(text, "&;", [&](std::string_view part) {
    const Pair pair = split(part);
    result.loose.push_back({loose_name(pair.name), loose_value(pair.value)});
  });
  return result;
}

Parameters Parameters::of_cookies(const std::vector<http::Field>& fields) {
  Parameters result;
  for (const http::Field& field : fields) {
    if (!http::equals_lower(field.name, "cookie")) continue;
    for_each_part(field.value, ";", [&](std::string_view part) {
      const Pair pair = split(part);
      result.strict.push_back({std::string(http::trim(pair.name)), std::string(http::trim(pair.value))});
    });
    for_each_part(field.value, ";,", [&](std::string_view part) {
      const Pair pair = split(part);
      result.loose.push_back({loose_name(pair.name), loose_value(pair.value)});
    });
  }
  return result;
}

WantedParameter::WantedParameter(std::string_view name, const std::optional<std::string>& value)
    : strict{std::string(name), value.value_or("")},
      loose{loose_name(name), loose_value(strict.value)},
      any_value(!value.has_value()) {}

Match WantedParameter::in(const Parameters& parameters) const {
  bool strictly = false, loosely = false, otherwise = false;
  for (const Parameter& each : parameters.strict) {
    if (each.name != strict.name) continue;
    const bool same = any_value || each.value == strict.value;
    strictly = strictly || same;
    otherwise = otherwise || !same;
  }
  for (const Parameter& each : parameters.loose) {
    if (each.name != loose.name) continue;
    const bool same = any_value || each.value == loose.value;
    loosely = loosely || same;
    otherwise = otherwise || !same;
  }
  if (strictly && !otherwise) return Match::yes;
  return strictly || loosely ? Match::maybe : Match::no;
}

}  // namespace spillway::classify
