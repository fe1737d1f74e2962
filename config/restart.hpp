#pragma once

#include <string>
#include <vector>

#include "config/load.hpp"

namespace config {

/// For a reload: restores the running values of fields with `needs_restart` in `next`, and returns the names of those
/// that would have changed, such as `workers` or `classes[].name`. If such a field of an element has changed, the whole
/// list of sections keeps its running value, because the old and new elements cannot be matched.
/// The references of these fields are kept, too.
std::vector<std::string> keep_until_restart(const Describe& running, const Describe& next,
                                            const References& running_references, References& next_references);

template <class Config>
std::vector<std::string> keep_until_restart(const Config& running, Config& next, const Definition<Config>& definition,
                                            const References& running_references, References& next_references) {
  Config copy = running;
  return keep_until_restart([&](Fields& f) { definition.describe(f, copy); },
                            [&](Fields& f) { definition.describe(f, next); }, running_references, next_references);
}

template <class Config>
std::vector<std::string> keep_until_restart(const Config& running, Config& next, const Definition<Config>& definition) {
  References none;
  return keep_until_restart(running, next, definition, {}, none);
}

/// The paths of all values that differ, such as `limits.body` or `classes[1].shed_at`. For lists of different length it
/// is the path of the list.
std::vector<std::string> changed_keys(const Describe& running, const Describe& next);

template <class Config>
std::vector<std::string> changed_keys(const Config& running, const Config& next, const Definition<Config>& definition) {
  Config before = running;
  Config after = next;
  return changed_keys([&](Fields& f) { definition.describe(f, before); },
                      [&](Fields& f) { definition.describe(f, after); });
}

}  // namespace config
