#include "config/error.hpp"

#include <algorithm>

#include "proxy/text/json.hpp"

namespace config {

std::string to_text(const Error& error) {
  std::string text = error.file;
  if (error.place.line > 0) {
    text += ':' + std::to_string(error.place.line) + ':' + std::to_string(error.place.column);
  }
  if (!error.path.empty()) text += ": " + error.path;
  text += ": " + error.message;
  // An error is one line, but a quoted value may hold line breaks.
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::replace(text.begin(), text.end(), '\r', ' ');
  return text;
}

std::string to_json(const std::vector<Error>& errors) {
  std::string json = errors.empty() ? "{\"valid\": true, \"errors\": [" : "{\"valid\": false, \"errors\": [";
  const char* separator = "";
  for (const Error& error : errors) {
    json += separator;
    json += "\n  {\"file\": " + text::json_quoted(error.file) + ", \"line\": " + std::to_string(error.place.line) +
            ", \"column\": " + std::to_string(error.place.column) + ", \"path\": " + text::json_quoted(error.path) +
            ", \"message\": " + text::json_quoted(error.message) + "}";
    separator = ",";
  }
  return json + "]}\n";
}

std::string without_userinfo(std::string_view text) {
  constexpr std::string_view kSlashes = "//";
  const std::size_t from = text.find(kSlashes), to = text.rfind('@');
  if (from == std::string_view::npos || to == std::string_view::npos || to < from) return std::string(text);
  return std::string(text.substr(0, from + kSlashes.size())) + "…" + std::string(text.substr(to));
}

}  // namespace config
