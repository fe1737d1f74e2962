#pragma once

#include <iosfwd>
#include <string>

#include "api/db/connect_options.hpp"

/// The users of the API, as the command line manages them. Every function blocks. False: `err` has the reason.
namespace api::users {

/// Names and passwords as logins accept them, and passwords no shorter than this.
inline constexpr std::size_t kMinPasswordCharacters = 8;
inline constexpr std::size_t kMaxPasswordCharacters = 1024;

bool add(const db::ConnectOptions& options, const std::string& name, const std::string& password, std::ostream& err);
/// Sets the password, and ends the user's tokens.
bool set_password(const db::ConnectOptions& options, const std::string& name, const std::string& password,
                  std::ostream& err);
/// Refuses logins from now on, and ends the user's tokens.
bool disable(const db::ConnectOptions& options, const std::string& name, std::ostream& err);
/// Accepts logins again. Tokens from before remain ended.
bool enable(const db::ConnectOptions& options, const std::string& name, std::ostream& err);
bool remove(const db::ConnectOptions& options, const std::string& name, std::ostream& err);
/// A line for each user, its columns separated by tabs: name, state, created, last login. Times are UTC.
bool list(const db::ConnectOptions& options, std::ostream& out, std::ostream& err);

}  // namespace api::users
