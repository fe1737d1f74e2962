#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/endpoints/field.hpp"

namespace api {

/// The `name=value` pairs of a query string or a form: `a=1&b=2`, decoded.
class Pairs {
 public:
  /// False: there are too many, and `errors` says so with `field`.
  bool parse(std::string_view text, std::string_view field, FieldErrors& errors);

  /// Each `take` gives the value of one name, and nothing if the name is absent. A name that is given twice is an
  /// error, because nobody can tell which value is meant.
  std::optional<std::string> take(std::string_view name, FieldErrors& errors);
  std::optional<std::string> take_text(std::string_view name, FieldErrors& errors);
  /// `fallback`: if the name is absent.
  std::int64_t take_integer(std::string_view name, std::int64_t fallback, std::int64_t min, std::int64_t max,
                            FieldErrors& errors);

 private:
  std::vector<std::pair<std::string, std::string>> items_;
};

}  // namespace api
