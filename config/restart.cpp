#include "config/restart.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace config {
namespace {

/// Knows the path of each visited value, and in a list also the path of the list, which changes only as a whole.
class Walker : public Fields {
 public:
  void section(const Key& key, const std::function<void()>& members) final {
    nested(std::string(key.name) + '.', std::string(key.name) + '.', members);
  }

 protected:
  struct Step {
    std::string path;     ///< classes[0].name
    std::string generic;  ///< classes[].name
    std::string unit;     ///< classes
    std::string element;  ///< classes[0]; empty: in no list
  };

  Step step_to(const Key& key) const {
    const std::string path = path_ + std::string(key.name);
    return {path, generic_ + std::string(key.name), unit_.empty() ? path : unit_, element_};
  }

  void nested(const std::string& step, const std::string& generic_step, const std::function<void()>& members) {
    const std::size_t length = path_.size();
    const std::size_t generic_length = generic_.size();
    path_ += step;
    generic_ += generic_step;
    members();
    path_.resize(length);
    generic_.resize(generic_length);
  }

  void elements(const Key& key, const List& list) {
    const bool outermost = unit_.empty();
    if (outermost) unit_ = step_to(key).unit;
    for (std::size_t i = 0; i < list.size(); ++i) {
      const std::string name(key.name);
      if (outermost) element_ = path_ + name + '[' + std::to_string(i) + ']';
      nested(name + '[' + std::to_string(i) + "].", name + "[].", [&] { list.members(i); });
    }
    if (!outermost) return;
    unit_.clear();
    element_.clear();
  }

 private:
  std::string path_, generic_, unit_, element_;
};

/// Records all values, and for each unit those that need a restart.
class Recorder final : public Walker {
 public:
  std::map<std::string, std::optional<std::string>> values;  ///< by path
  std::map<std::string, std::size_t> lengths;                ///< of lists, by path
  std::set<std::string> secrets;                             ///< paths of values that are never shown

  struct Restart {
    std::string name;   ///< the name that is reported
    std::string value;  ///< all values of the unit in one text
    bool operator!=(const Restart& other) const { return value != other.value; }
  };
  std::map<std::string, Restart> restarts;  ///< by unit

  /// An element of a unit, in the order of the list.
  struct Element {
    std::string path;                    ///< classes[0]
    std::string identity;                ///< the only one of a list that always has one has none
    std::set<std::string> kept;          ///< paths in it that take a restart
    std::vector<std::string> with_list;  ///< paths in it
  };
  std::map<std::string, std::vector<Element>> elements_of;  ///< by unit
  std::set<std::string> single;                             ///< units that have one element always

  void scalar(const Key& key, Scalar scalar) override { record(step_to(key), key, scalar.print()); }

  void list(const Key& key, List list) override {
    const Step step = step_to(key);
    lengths[step.path] = list.size();
    // An empty list is not the same as a list whose elements need no restart.
    if (key.needs_restart) add(step, std::to_string(list.size()));
    if (key.with_list && !step.element.empty()) element(step).with_list.push_back(step.path);
    if (list.members && step.element.empty()) {
      if (list.length.min == 1 && list.length.max == 1) single.insert(step.unit);
      for (std::size_t i = 0; i < list.size(); ++i) {
        elements_of[step.unit].push_back({step.path + '[' + std::to_string(i) + ']', {}, {}, {}});
      }
    }
    if (list.members) elements(key, list);
    for (std::size_t i = 0; list.scalar && !list.members && i < list.size(); ++i) {
      record({step.path + '[' + std::to_string(i) + ']', step.generic, step.unit, step.element}, key,
             list.scalar(i).print());
    }
  }

 private:
  void record(const Step& step, const Key& key, const std::optional<std::string>& value) {
    values[step.path] = value;
    if (key.secret) secrets.insert(step.path);
    if (key.needs_restart) add(step, value.value_or(""));
    if (step.element.empty()) return;
    if (key.needs_restart) element(step).kept.insert(step.path);
    if (key.identity) element(step).identity = value.value_or("");
  }
  Element& element(const Step& step) {
    std::vector<Element>& all = elements_of[step.unit];
    return *std::find_if(all.begin(), all.end(), [&](const Element& each) { return each.path == step.element; });
  }
  void add(const Step& step, const std::string& value) {
    Restart& restart = restarts.try_emplace(step.unit, Restart{step.generic, {}}).first->second;
    restart.value.append(step.path).append("=").append(value).push_back('\0');
  }
};

using Element = Recorder::Element;

/// `path` with the element `from` replaced by `to`.
std::string moved(const std::string& path, const Element& from, const Element& to) {
  return to.path + path.substr(from.path.size());
}

/// The entries within `element` that a reload may apply.
template <class Map>
Map applicable(const Map& all, const Element& element) {
  Map found;
  for (const auto& entry : all) {
    const std::string& path = entry.first;
    const bool waits = std::any_of(element.with_list.begin(), element.with_list.end(),
                                   [&](const std::string& each) { return path == each || is_within(path, each); });
    const bool inside = is_within(path, element.path) && path != element.path;  // its short form is its identity
    if (inside && !waits && element.kept.count(path) == 0) found.insert(entry);
  }
  return found;
}

/// The entries within `path`, by what follows it.
template <class Map>
Map below(const Map& all, const std::string& path) {
  Map found;
  for (const auto& [each, value] : all) {
    if (each == path || is_within(each, path)) found.emplace(each.substr(path.size()), value);
  }
  return found;
}

/// Puts what may be applied of `from` in the place of that of `to`.
template <class Map>
void apply(const Map& next, const Element& from, Map& kept, const Element& to) {
  for (const auto& entry : applicable(kept, to)) kept.erase(entry.first);
  for (const auto& [path, value] : applicable(next, from)) kept[moved(path, from, to)] = value;
}

/// What the element `i` of `running` is in `next`, of several with one identity in their order; null: it is not there.
const Element* counterpart(const std::vector<Element>& running, std::size_t i, const std::vector<Element>& next,
                           bool single) {
  if (single) return &next.front();
  const std::string& identity = running[i].identity;
  if (identity.empty()) return nullptr;
  const auto same = [&](const Element& each) { return each.identity == identity; };
  const auto end = running.begin() + static_cast<std::ptrdiff_t>(i);
  auto before = std::count_if(running.begin(), end, same);
  const auto found =
      std::find_if(next.begin(), next.end(), [&](const Element& each) { return same(each) && before-- == 0; });
  return found == next.end() ? nullptr : &*found;
}

/// Writes recorded values into the given units.
class Writer final : public Walker {
 public:
  Writer(const Recorder& recorded, std::set<std::string> units) : recorded_(recorded), units_(std::move(units)) {}

  void scalar(const Key& key, Scalar scalar) override {
    const Step step = step_to(key);
    if (units_.count(step.unit) > 0) set(scalar, step.path);
  }

  void list(const Key& key, List list) override {
    const Step step = step_to(key);
    if (units_.count(step.unit) == 0) return;
    list.resize(0);  // new elements have the defaults; members without a recorded value keep them
    list.resize(recorded_.lengths.at(step.path));
    if (list.members) elements(key, list);
    for (std::size_t i = 0; list.scalar && !list.members && i < list.size(); ++i) {
      set(list.scalar(i), step.path + '[' + std::to_string(i) + ']');
    }
  }

 private:
  void set(const Scalar& scalar, const std::string& path) const {
    if (const auto& value = recorded_.values.at(path)) scalar.set(*value);
  }

  const Recorder& recorded_;
  std::set<std::string> units_;
};

}  // namespace

std::vector<std::string> keep_until_restart(const Describe& running, const Describe& next,
                                            const References& running_references, References& next_references) {
  Recorder before;
  Recorder after;
  running(before);
  next(after);
  std::set<std::string> units;
  std::vector<std::string> names;
  const auto compare = [&](const Recorder& some, const Recorder& other) {
    for (const auto& [unit, restart] : some.restarts) {
      const auto found = other.restarts.find(unit);
      if (found != other.restarts.end() && !(restart != found->second)) continue;
      if (units.insert(unit).second) names.push_back(restart.name);
    }
  };
  compare(before, after);
  compare(after, before);  // finds the values of a list that was empty
  if (!units.empty()) {
    const auto kept = [&](const auto& reference) {
      return std::any_of(units.begin(), units.end(),
                         [&](const auto& unit) { return is_within(reference.first, unit); });
    };
    References references = running_references;
    std::erase_if(references, [&](const auto& reference) { return !kept(reference); });
    for (const std::string& unit : units) {
      const std::vector<Element>& elements = before.elements_of[unit];
      for (std::size_t e = 0; e < elements.size(); ++e) {
        const Element& element = elements[e];
        const bool single = before.single.count(unit) > 0;
        const Element* const match = counterpart(elements, e, after.elements_of[unit], single);
        if (!match) continue;
        apply(after.values, *match, before.values, element);
        apply(after.lengths, *match, before.lengths, element);
        apply(next_references, *match, references, element);
        for (std::size_t i = 0; i < element.with_list.size(); ++i) {
          const std::string& path = match->with_list[i];
          if (below(after.values, path) != below(before.values, element.with_list[i])) names.push_back(path);
        }
      }
    }
    std::erase_if(next_references, kept);
    next_references.merge(references);
    Writer writer(before, std::move(units));
    next(writer);
  }
  return names;
}

std::string to_text(const Change& change) {
  constexpr std::size_t kLongest = 60;
  if (change.hidden) return change.path;
  const auto shown = [](const std::string& value) {
    if (value.empty()) return std::string("nothing");
    return value.size() <= kLongest ? value : value.substr(0, kLongest) + "…";
  };
  return change.path + ' ' + shown(change.before) + " -> " + shown(change.after);
}

std::vector<Change> changes(const Describe& running, const Describe& next, const References& running_references,
                            const References& next_references) {
  Recorder before;
  Recorder after;
  running(before);
  next(after);
  const auto differing = [](const auto& some, const auto& other) {
    std::set<std::string> paths;
    const auto compare = [&](const auto& one, const auto& another) {
      for (const auto& [path, value] : one) {
        const auto found = another.find(path);
        if (found == another.end() || found->second != value) paths.insert(path);
      }
    };
    compare(some, other);
    compare(other, some);
    return paths;
  };
  const auto value_of = [](const Recorder& recorded, const std::string& path) {
    const auto found = recorded.values.find(path);
    return found == recorded.values.end() ? std::string() : found->second.value_or("");
  };
  const auto length_of = [](const Recorder& recorded, const std::string& path) {
    const auto found = recorded.lengths.find(path);
    return std::to_string(found == recorded.lengths.end() ? 0 : found->second);
  };
  std::map<std::string, Change> changed;
  const std::set<std::string> lists = differing(before.lengths, after.lengths);
  for (const std::string& path : lists) changed[path] = {path, length_of(before, path), length_of(after, path)};
  for (const std::string& path : differing(before.values, after.values)) {
    const bool hidden = before.secrets.count(path) + after.secrets.count(path) + running_references.count(path) +
                            next_references.count(path) >
                        0;
    changed[path] = hidden ? Change{path, {}, {}, true} : Change{path, value_of(before, path), value_of(after, path)};
  }
  // For a list whose length has changed, report the list and not its elements.
  std::erase_if(changed, [&](const auto& entry) {
    return std::any_of(lists.begin(), lists.end(),
                       [&](const std::string& list) { return entry.first != list && is_within(entry.first, list); });
  });
  std::vector<Change> result;
  for (auto& [path, change] : changed) result.push_back(std::move(change));
  return result;
}

}  // namespace config
