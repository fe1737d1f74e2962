#include "proxy/classify/classify.hpp"

#include <algorithm>

namespace spillway::classify {

namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

bool needs_normalising(std::string_view path) {
  return path.find('%') != std::string_view::npos || path.find("//") != std::string_view::npos ||
         path.find("/.") != std::string_view::npos;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool unreserved(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}

/// Decodes unreserved characters only: an escaped slash stays data, in upper case.
std::string decode_unreserved(std::string_view path) {
  std::string decoded;
  decoded.reserve(path.size());
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '%' && i + 2 < path.size()) {
      const int high = hex_value(path[i + 1]), low = hex_value(path[i + 2]);
      if (high >= 0 && low >= 0) {
        const char c = static_cast<char>(high * 16 + low);
        if (unreserved(c)) {
          decoded += c;
        } else {
          decoded += {'%', upper(path[i + 1]), upper(path[i + 2])};
        }
        i += 2;
        continue;
      }
    }
    decoded += path[i];
  }
  return decoded;
}

}  // namespace

std::string normalised(std::string_view path) {
  const std::string decoded = decode_unreserved(path);
  std::string result;
  result.reserve(decoded.size());
  for (std::size_t i = 0; i < decoded.size();) {
    const std::size_t end = std::min(decoded.find('/', i + 1), decoded.size());
    const std::string_view segment = std::string_view(decoded).substr(i, end - i);  // with its leading slash
    const bool last = end == decoded.size();
    if (segment == "/..") {
      result.resize(result.empty() ? 0 : result.rfind('/'));
      if (last) result += '/';
    } else if (segment == "/." || (segment == "/" && !last)) {
      if (last) result += '/';
    } else {
      result += segment;
    }
    i = end;
  }
  return result;
}

std::vector<std::string> class_names(const std::vector<ClassConfig>& classes) {
  std::vector<std::string> names{std::string(kDefaultClass)};
  for (const ClassConfig& c : classes) names.push_back(c.name);
  return names;
}

Classifier::Classifier(const std::vector<ClassConfig>& classes) {
  int index = kDefaultClassIndex;
  for (const ClassConfig& c : classes) {
    ++index;
    for (const MatchRule& match : c.match) {
      rules_.push_back({index, decode_unreserved(match.path.value_or("")),
                        decode_unreserved(match.path_prefix.value_or("")), match.method.value_or(""),
                        lower(match.header.value_or("")), match.value.value_or(""), !match.value.has_value()});
    }
  }
}

bool Classifier::matches(const Rule& rule, const http::RequestHead& head, std::string_view path) {
  if (!rule.path.empty() && path != rule.path) return false;
  if (!rule.path_prefix.empty() && !path.starts_with(rule.path_prefix)) return false;
  if (!rule.method.empty() && head.method != rule.method) return false;
  if (rule.header.empty()) return true;
  return std::any_of(head.fields.begin(), head.fields.end(), [&](const http::Field& field) {
    return http::equals_lower(field.name, rule.header) && (rule.any_value || field.value == rule.value);
  });
}

int Classifier::classify(const http::RequestHead& head) const {
  std::string resolved;
  std::string_view path = head.path;
  if (needs_normalising(path)) path = resolved = normalised(path);
  for (const Rule& rule : rules_) {
    if (matches(rule, head, path)) return rule.class_index;
  }
  return kDefaultClassIndex;
}

}  // namespace spillway::classify
