#include "config/error.hpp"

#include "config/json.hpp"

namespace config {

std::string to_text(const Error& error) {
  std::string text = error.file + ':' + std::to_string(error.place.line) + ':' + std::to_string(error.place.column);
  if (!error.path.empty()) text += ": " + error.path;
  return text + ": " + error.message;
}

std::string to_json(const std::vector<Error>& errors) {
  std::string json = errors.empty() ? "{\"valid\": true, \"errors\": [" : "{\"valid\": false, \"errors\": [";
  const char* separator = "";
  for (const Error& error : errors) {
    json += separator;
    json += "\n  {\"file\": " + json_quoted(error.file) + ", \"line\": " + std::to_string(error.place.line) +
            ", \"column\": " + std::to_string(error.place.column) + ", \"path\": " + json_quoted(error.path) +
            ", \"message\": " + json_quoted(error.message) + "}";
    separator = ",";
  }
  return json + "]}\n";
}

}  // namespace config
