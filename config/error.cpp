#include "config/error.hpp"

#include <algorithm>

#include "proxy/text/json.hpp"

namespace config {
namespace {

std::string json_list(const std::vector<Error>& errors) {
  std::string json = "[";
  const char* separator = "";
  for (const Error& error : errors) {
    json += separator;
    json += "\n  {\"file\": " + text::json_quoted(error.file) + ", \"line\": " + std::to_string(error.place.line) +
            ", \"column\": " + std::to_string(error.place.column) + ", \"path\": " + text::json_quoted(error.path) +
            ", \"message\": " + text::json_quoted(error.message) + "}";
    separator = ",";
  }
  return json + "]";
}

}  // namespace

std::string to_text(const Error& error) {
  std::string text = error.file;
  if (error.place.line > 0) {
    text += ':' + std::to_string(error.place.line) + ':' + std::to_string(error.place.column);
  }
  if (!error.path.empty()) text += ": " + error.path;
  text += (error.warning ? ": warning: " : ": ") + error.message;
  // An error is one line, but a quoted value may hold line breaks.
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::replace(text.begin(), text.end(), '\r', ' ');
  return text;
}

std::string to_json(const std::vector<Error>& errors, const std::vector<Error>& warnings) {
  return std::string("{\"valid\": ") + (errors.empty() ? "true" : "false") + ", \"errors\": " + json_list(errors) +
         ", \"warnings\": " + json_list(warnings) + "}\n";
}

std::string without_userinfo(std::string_view text) {
  constexpr std::string_view kSlashes = "//";
  const std::size_t from = text.find(kSlashes), to = text.rfind('@');
  if (from == std::string_view::npos || to == std::string_view::npos || to < from) return std::string(text);
  return std::string(text.substr(0, from + kSlashes.size())) + "…" + std::string(text.substr(to));
}

}  // namespace config
