#pragma once

#include <string>

namespace api::users {

/// Reads a password from a terminal, twice and unseen, or else the first line of stdin. Blocks. False: `error` is one
/// line, without the password.
bool read_password(std::string& password, std::string& error);

}  // namespace api::users
