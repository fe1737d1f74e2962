#pragma once

#include <string>
#include <vector>

#include "config/load.hpp"

namespace config {

/// For a reload: gives fields marked `needs_restart` their running values back in `next`, and returns those that would
/// have changed, such as `workers` or `classes[].name`. A list of sections is kept as a whole if such a field of an
/// element has changed: nobody knows then which element continues which.
std::vector<std::string> keep_until_restart(const Describe& running, const Describe& next);

template <class Config>
std::vector<std::string> keep_until_restart(const Config& running, Config& next, const Definition<Config>& definition) {
  Config copy = running;
  return keep_until_restart([&](Fields& f) { definition.describe(f, copy); },
                            [&](Fields& f) { definition.describe(f, next); });
}

}  // namespace config
