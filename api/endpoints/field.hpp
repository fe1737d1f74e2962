#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Checks of single values, and the errors that name the field. Pure.
namespace api {

inline constexpr std::size_t kMaxTextCharacters = 200;  ///< of a search, a name, a major

struct FieldError {
  std::string field;    ///< as in `user_profile.gpa`; empty when the whole body is meant
  std::string message;  ///< completes the sentence that begins with the field
};
using FieldErrors = std::vector<FieldError>;

void add(FieldErrors& errors, std::string_view field, std::string message);

/// Why a text is not accepted; empty when it is. Accepted: valid UTF-8 without control characters, 1 to
/// `max_characters` long. PostgreSQL refuses NUL; control characters could forge lines of a log or a terminal.
std::string fault_of_text(std::string_view text, std::size_t max_characters);

/// The whole text as a decimal integer from `min` to `max`.
std::optional<std::int64_t> parse_integer(std::string_view text, std::int64_t min, std::int64_t max);
/// "must be an integer from … to …"
std::string must_be_integer(std::int64_t min, std::int64_t max);

}  // namespace api
