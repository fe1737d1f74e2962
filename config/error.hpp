#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace config {

/// A position in a file, both counted from 1. Line 0: not in a file, but on the command line.
struct Place {
  int line = 1;
  int column = 1;

  auto operator<=>(const Place&) const = default;
};

/// One fault in a configuration file, or a warning: of what is accepted but probably not meant.
struct Error {
  std::string file;
  Place place;
  std::string path;  ///< the field, such as `classes[0].shed_at`; empty for the whole file
  std::string message;
  bool warning = false;
};

/// `file:line:column: path: message`; a warning's message begins with `warning: `.
std::string to_text(const Error& error);

/// One JSON object {"valid", "errors": [{"file", "line", "column", "path", "message"}], "warnings": the same}, ending
/// in a line break.
std::string to_json(const std::vector<Error>& errors, const std::vector<Error>& warnings);

/// A text that is quoted, without what stands between `//` and the last `@`: of a URL, the user and the password.
std::string without_userinfo(std::string_view text);

}  // namespace config
