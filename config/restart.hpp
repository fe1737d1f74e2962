#pragma once

#include <string>
#include <vector>

#include "config/load.hpp"

namespace config {

/// For a reload: restores the running values of fields with `needs_restart` in `next`, and returns the names of those
/// that would have changed, such as `workers` or `classes[].name`. If such a field of an element has changed, the list
/// keeps the elements that it has, in their order. Each takes from `next` what it may, if its `identity` is found
/// there; the names of what it may not take then (`with_list`) are returned, too, such as `classes[0].match`. Elements
/// without an `identity` stay as they are. The references of what is kept are kept, too.
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

/// A value that differs.
struct Change {
  std::string path;    ///< `limits.body` or `classes[1].shed_at`; of a list whose length differs, that of the list
  std::string before;  ///< as in a file; of such a list the number of its elements. Empty if the value is hidden
  std::string after;
  bool hidden = false;  ///< a secret, or a value that comes from a reference

  bool operator==(const Change&) const = default;
};

/// `limits.body 10MiB -> 1MiB`, long values cut; of a hidden value the path alone.
std::string to_text(const Change& change);

/// In the order of the paths.
std::vector<Change> changes(const Describe& running, const Describe& next, const References& running_references = {},
                            const References& next_references = {});

template <class Config>
std::vector<Change> changes(const Config& running, const Config& next, const Definition<Config>& definition,
                            const References& running_references = {}, const References& next_references = {}) {
  Config before = running;
  Config after = next;
  return changes([&](Fields& f) { definition.describe(f, before); }, [&](Fields& f) { definition.describe(f, after); },
                 running_references, next_references);
}

}  // namespace config
