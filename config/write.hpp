#pragma once

#include <string>
#include <string_view>

#include "config/load.hpp"

/// What is generated from a description besides the parser. `describe` must refer to a default-constructed struct
/// where defaults are written (schema, reference); a list in it is grown by one element for a moment.
namespace config {

/// The present values as YAML that `read` accepts; secrets appear as `***`. Those that came from elsewhere appear as
/// the reference that stands in the file: who may see a configuration need not see what it refers to.
std::string to_yaml(const Describe& describe, const References& references = {});

/// JSON Schema, draft 2020-12.
std::string to_schema(const Describe& describe, std::string_view title);

/// A Markdown section with a table of every field: default, what it accepts, what it means.
std::string to_reference(const Describe& describe, std::string_view title);

/// The manual page `program`.yaml(5), in roff.
std::string to_man(const Describe& describe, std::string_view program);

template <class Config>
std::string to_yaml(const Config& config, const Definition<Config>& definition, const References& references = {}) {
  Config copy = config;
  return to_yaml([&](Fields& f) { definition.describe(f, copy); }, references);
}

template <class Config>
std::string to_schema(const Definition<Config>& definition, std::string_view title) {
  Config defaults;
  return to_schema([&](Fields& f) { definition.describe(f, defaults); }, title);
}

template <class Config>
std::string to_reference(const Definition<Config>& definition, std::string_view title) {
  Config defaults;
  return to_reference([&](Fields& f) { definition.describe(f, defaults); }, title);
}

}  // namespace config
