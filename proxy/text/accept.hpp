#pragma once

#include <optional>
#include <string_view>

namespace text {

/// An entry of a list such as `Accept` or `Accept-Encoding` (RFC 9110, section 12.4.2).
struct Accepted {
  std::string_view name;  ///< without white space and parameters
  int weight = 1000;      ///< in thousandths: 1000 without a `q`, 0 if it is refused or malformed
};

/// Takes the next entry off the front of a list. Nothing at its end.
std::optional<Accepted> take_accepted(std::string_view& list);

/// The highest weight of the entries with this name, whatever the case; -1 if the list does not name it.
int accepted_weight(std::string_view list, std::string_view name);

}  // namespace text
