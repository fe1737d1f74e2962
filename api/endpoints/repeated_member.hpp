#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace api {

/// The path of the first member that an object of a valid JSON text has twice, such as `user_profile.gpa`; nothing if
/// each is there once. Which of two counts is up to the parser (RFC 8259, section 4), and others may take the other
/// one. The path names no elements of arrays.
std::optional<std::string> repeated_member(std::string_view json);

}  // namespace api
