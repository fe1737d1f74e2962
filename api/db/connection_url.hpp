#pragma once

#include <string>
#include <string_view>

/// What may be said about a connection string that holds a password. Pure.
namespace api::db {

/// Which character has to be percent-encoded in a URI, else user and password end somewhere else than was meant, and
/// parts of them would be taken for a host and shown. Empty: none, or it is no URI.
std::string fault_of_url(std::string_view url);

/// Whether the URI names a user: it stands between `//` and `@`, and is shown nowhere.
bool names_user(std::string_view url);

/// A complaint of libpq's about a connection string, in one line, without the values that it quotes.
std::string without_values(std::string_view complaint);

/// Any other message, in one line, without this name, which servers put in quotes. Empty: nothing to leave out.
std::string without_name(std::string_view message, std::string_view name);

}  // namespace api::db
