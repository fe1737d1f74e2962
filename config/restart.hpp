#pragma once

#include <string>
#include <vector>

#include "config/load.hpp"

namespace config {

/// For a reload: gives fields marked `needs_restart` their running values back in `next`, and returns those that would
/// have changed, such as `workers` or `classes[].name`. A list of sections is kept as a whole if such a field of an
/// element has changed: nobody knows then which element continues which.
/// Their references are kept with them.
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

/// The paths of all values that differ, such as `limits.body` or `classes[1].shed_at`; a list of another length by its
/// own path.
std::vector<std::string> changed_keys(const Describe& running, const Describe& next);

template <class Config>
std::vector<std::string> changed_keys(const Config& running, const Config& next, const Definition<Config>& definition) {
  Config before = running;
  Config after = next;
  return changed_keys([&](Fields& f) { definition.describe(f, before); },
                      [&](Fields& f) { definition.describe(f, after); });
}

}  // namespace config
