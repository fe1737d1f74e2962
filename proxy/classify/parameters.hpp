#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http/message.hpp"

namespace spillway::classify {

/// Whether a rule holds for a request. `maybe`: servers read the request in different ways, and it holds in some.
enum class Match : std::uint8_t { no, maybe, yes };

/// Parameters of a query, or cookies, in two readings. The strict one is that of the specification (WHATWG's URL
/// standard; RFC 6265). The loose one has every parameter that some server sees: also separated by `;` (cookies: by
/// `,`), decoded until no escape is left, with names that compare without case and end at `[` or NUL, with `.` and
/// blanks as `_`, and without quotes around a value.
struct Parameters {
  struct Parameter {
    std::string name, value;
  };
  std::vector<Parameter> strict, loose;

  static Parameters of_query(std::string_view query);
  static Parameters of_cookies(const std::vector<http::Field>& fields);
};

/// A parameter or cookie that a rule asks for.
struct WantedParameter {
  /// Without `value` any value will do.
  WantedParameter(std::string_view name, const std::optional<std::string>& value);

  /// `maybe`: only the loose reading has it, or it is there more than once with different values.
  Match in(const Parameters& parameters) const;

  Parameters::Parameter strict, loose;
  bool any_value;
};

}  // namespace spillway::classify
