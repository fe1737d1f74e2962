#include "config/override.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace config {
namespace {

/// One step down the tree: to the member of a section, or to the element of a list.
struct Step {
  std::string name;
  std::optional<std::size_t> index;
};

struct Fault {
  std::string message;
};

std::optional<std::size_t> read_index(std::string_view text) {
  std::size_t index = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), index);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) return {};
  return index;
}

std::vector<Step> steps_of(std::string_view path) {
  const Fault malformed{"is no key; write it as section.key=value, an element of a list as key[0]"};
  std::vector<Step> steps;
  while (true) {
    const std::size_t dot = path.find('.');
    std::string_view part = path.substr(0, dot);
    const std::size_t bracket = part.find('[');
    if (part.empty() || bracket == 0) throw malformed;
    steps.push_back({std::string(part.substr(0, bracket)), {}});
    part.remove_prefix(std::min(bracket, part.size()));
    while (!part.empty()) {
      const std::size_t end = part.find(']');
      if (part.front() != '[' || end == std::string_view::npos) throw malformed;
      const std::optional<std::size_t> index = read_index(part.substr(1, end - 1));
      if (!index) throw malformed;
      steps.push_back({{}, index});
      part.remove_prefix(end + 1);
    }
    if (steps.size() > kMaxDepth) throw Fault{"is deeper than " + std::to_string(kMaxDepth) + " levels"};
    if (dot == std::string_view::npos) return steps;
    path.remove_prefix(dot + 1);
  }
}

/// A copy that has all its nodes at one place.
std::shared_ptr<const Node> moved(const Node& node, Place place) {
  auto copy = std::make_shared<Node>(node);
  copy->place = place;
  for (auto& item : copy->items) item = moved(*item, place);
  for (Node::Entry& entry : copy->entries) {
    entry.place = place;
    entry.value = moved(*entry.value, place);
  }
  return copy;
}

std::shared_ptr<const Node> value_of(const Override& override, Place place) {
  if (override.yaml && !override.value.empty()) {
    const Document document = parse_document(override.value);
    // A text that is no YAML, such as `[::1]:80`, is taken as it stands.
    if (document.fault.empty() && document.root) return moved(*document.root, place);
  }
  if (find_unfit_byte(override.value) != std::string_view::npos) throw Fault{"a control byte, or not UTF-8"};
  auto node = std::make_shared<Node>();
  node->kind = Node::Kind::scalar;
  node->place = place;
  node->text = override.value;
  return node;
}

class Writer {
 public:
  Writer(const std::vector<Step>& steps, std::shared_ptr<const Node> value, Place place)
      : steps_(steps), value_(std::move(value)), place_(place) {}

  std::shared_ptr<const Node> put(const Node* node, std::size_t depth) const {
    if (depth == steps_.size()) return value_;
    const Step& step = steps_[depth];
    const Node::Kind kind = step.index ? Node::Kind::list : Node::Kind::map;
    auto copy = std::make_shared<Node>();
    if (node != nullptr && node->kind == kind) {
      *copy = *node;
    } else {
      copy->kind = kind;
      copy->place = place_;
    }
    if (step.index) {
      put_element(*copy, *step.index, depth);
    } else {
      put_member(*copy, step.name, depth);
    }
    return copy;
  }

 private:
  void put_member(Node& map, const std::string& name, std::size_t depth) const {
    const auto found = std::find_if(map.entries.begin(), map.entries.end(),
                                    [&](const Node::Entry& entry) { return entry.key == name; });
    if (found == map.entries.end()) {
      map.entries.push_back({name, place_, put(nullptr, depth + 1)});
      return;
    }
    if (depth + 1 == steps_.size()) found->place = place_;
    found->value = put(found->value.get(), depth + 1);
  }

  void put_element(Node& list, std::size_t index, std::size_t depth) const {
    const std::size_t length = list.items.size();
    if (index > length) {
      throw Fault{"has no element [" + std::to_string(index) + "]: the list in the file has " + std::to_string(length)};
    }
    if (index == length) list.items.emplace_back();
    list.items[index] = put(list.items[index].get(), depth + 1);
  }

  const std::vector<Step>& steps_;
  std::shared_ptr<const Node> value_;
  Place place_;
};

}  // namespace

Overridden with_override(const std::shared_ptr<const Node>& root, const Override& override, Place place) {
  try {
    const std::vector<Step> steps = steps_of(override.path);
    return {Writer(steps, value_of(override, place), place).put(root.get(), 0), {}};
  } catch (const Fault& fault) {
    return {root, fault.message};
  }
}

}  // namespace config
