#pragma once

#include <string>

namespace api {

/// The words of a search without the minus signs that exclude nothing, each replaced by a space. A minus excludes the
/// word or the quoted words directly behind it, if nothing but a space, an operator or the end of a quote is before it:
/// `law -tax`. One that stands alone, or beside another one, is a dash. PostgreSQL takes a dash for an operator, nests
/// them, and fails at 33. `words` is valid UTF-8. Pure.
std::string without_dashes(std::string words);

}  // namespace api
