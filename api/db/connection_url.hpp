#pragma once

#include <string>
#include <string_view>

/// Messages about a connection string, without its password. Pure.
namespace api::db {

/// The character in the user or password of a URI that must be percent-encoded. Without that they would end too early,
/// and the rest would be taken for a host and shown. Empty: none, or the string is not a URI.
std::string fault_of_url(std::string_view url);

/// The URI has a user between `//` and `@`, which no message shows.
bool names_user(std::string_view url);

/// An error message of libpq about a connection string, in one line, without the values that it quotes.
std::string without_values(std::string_view complaint);

/// Any other message, in one line, without the quoted `name`. An empty `name` hides nothing.
std::string without_name(std::string_view message, std::string_view name);

}  // namespace api::db
