#include "config/load.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include "config/document.hpp"
#include "config/override.hpp"
#include "config/substitute.hpp"
#include "config/suggest.hpp"

namespace config {
namespace {

/// An error shows so many bytes of an invalid value.
constexpr std::size_t kMaxShown = 60;

/// A text shortened to fit into one line of a log, with control bytes replaced, which YAML escapes can bring.
std::string printable(std::string_view whole) {
  const std::string text = without_userinfo(whole);
  std::string result(text.substr(0, kMaxShown));
  if (text.size() > kMaxShown)
    result.resize(std::min(find_unfit_byte(result), kMaxShown));  // do not cut a character in two
  for (char& c : result) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return text.size() > kMaxShown ? result + "…" : result;
}

/// Whether a text could have been meant as the name of a key.
bool is_name(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

std::string quoted(std::string_view text) {
  return "'" + printable(text) + "'";
}

/// What to write instead of a value that is not accepted, if that can be guessed.
std::string advice(const Scalar& scalar, std::string_view text) {
  if (std::string blank = name_of_blank(text); !blank.empty()) return "; it holds " + blank;
  const std::string hint = scalar.hint ? scalar.hint(text) : "";
  return hint.empty() ? "" : "; " + hint;
}

/// Visits a description and fills the struct from a document.
class Reader final : public Fields {
 public:
  Reader(const Node* root, Problems& problems, References* references) : problems_(problems), references_(references) {
    if (root != nullptr && root->kind != Node::Kind::map) {
      const std::string blank = name_of_blank(root->text);
      problems_.add(root->place, "",
                    "must be keys and values, not " + name_of(*root) + (blank.empty() ? "" : "; it holds " + blank));
      root = nullptr;
    }
    frames_.push_back({root, root != nullptr ? root->place : Place{}, "", {}, {}});
  }

  /// Call this when all fields have been visited.
  void finish() { leave(); }

  void scalar(const Key& key, Scalar scalar) override {
    const Node::Entry* entry = take(key);
    if (entry == nullptr) return;
    const std::string path = path_of(key.name);
    set(*entry->value, entry->place, path, key, scalar, path);
  }

  void section(const Key& key, const std::function<void()>& members) override {
    const Node::Entry* entry = take(key);
    std::string path = path_of(key.name);
    const Node* node = entry != nullptr ? entry->value.get() : nullptr;
    const Place place = entry != nullptr ? entry->place : frames_.back().place;
    if (node != nullptr && node->kind != Node::Kind::map && node->kind != Node::Kind::null) {
      problems_.add(node->place, path, "must be a section of keys, not " + name_of(*node));
      return;
    }
    // Visit the members of a missing section, too: one may be required.
    visit(node, place, std::move(path), members);
  }

  void list(const Key& key, List list) override {
    const Node::Entry* entry = take(key);
    if (entry == nullptr) return;
    const std::string path = path_of(key.name);
    const Node& node = *entry->value;
    if (list.single && node.kind == Node::Kind::scalar) {
      list.resize(0);
      list.resize(1);
      set(node, entry->place, path, key, list.scalar(0), path + "[0]");
      return;
    }
    if (list.single && list.members && node.kind == Node::Kind::map) {
      list.resize(0);
      list.resize(1);
      element(key, list, 0, node, path);
      return;
    }
    if (node.kind != Node::Kind::list && node.kind != Node::Kind::null) {
      problems_.add(node.place, path, "must be a list, not " + name_of(node));
      return;
    }
    const std::size_t length = node.items.size();
    if (length < list.length.min || length > list.length.max) {
      problems_.add(node.kind == Node::Kind::null ? entry->place : node.place, path,
                    "must have " + std::to_string(list.length.min) + " to " + std::to_string(list.length.max) +
                        " elements, not " + std::to_string(length));
      return;
    }
    list.resize(0);  // new elements get the defaults of an element, not those of the default list
    list.resize(length);
    for (std::size_t i = 0; i < length; ++i) element(key, list, i, *node.items[i], path);
  }

 private:
  struct Frame {
    const Node* map;  ///< null: not in the file
    Place place;
    std::string path;
    std::vector<std::string> known;
    std::optional<Place> secret;  ///< of a member in the file that is one
  };

  std::string path_of(std::string_view name) const {
    const std::string& parent = frames_.back().path;
    return parent.empty() ? std::string(name) : parent + '.' + std::string(name);
  }

  static std::string name_of(const Node& node) {
    switch (node.kind) {
      case Node::Kind::null:
        return "empty";
      case Node::Kind::list:
        return "a list";
      case Node::Kind::map:
        return "a section";
      case Node::Kind::scalar:
        break;
    }
    return quoted(node.text);
  }

  /// The entry for a key, if it is in the file.
  const Node::Entry* take(const Key& key) {
    Frame& frame = frames_.back();
    frame.known.emplace_back(key.name);
    if (frame.map != nullptr) {
      for (const Node::Entry& entry : frame.map->entries) {
        if (entry.key != key.name) continue;
        if (key.secret) frame.secret = entry.place;
        problems_.found(path_of(key.name), entry.value->kind == Node::Kind::null ? entry.place : entry.value->place);
        return &entry;
      }
    }
    if (key.required) problems_.add(frame.place, path_of(key.name), "is required");
    return nullptr;
  }

  /// `own_path`: the path of the scalar; `path` is what errors name.
  void set(const Node& node, Place key_place, const std::string& path, const Key& key, const Scalar& scalar,
           const std::string& own_path) {
    const Place place = node.kind == Node::Kind::null ? key_place : node.place;
    if (node.kind != Node::Kind::scalar) {
      problems_.add(place, path, "must be " + scalar.words + ", not " + name_of(node));
      return;
    }
    const Substituted value = substitute(node.text, budget_);
    if (value.referenced && references_ != nullptr) references_->insert_or_assign(own_path, node.text);
    if (!value.error.empty()) {
      // One that names a variable or a file is told; else a part of the secret may have looked like a reference.
      const bool hidden = key.secret && (value.error.starts_with('\'') || value.error.starts_with('$'));
      problems_.add(
          place, path,
          hidden ? "a ${…} in it (not shown) is neither ${env:NAME} nor ${file:/path}; write $${ for a literal ${"
                 : value.error);
    } else if (!scalar.set(value.text)) {
      problems_.add(place, path,
                    "must be " + scalar.words +
                        (key.secret         ? " (value not shown)"
                         : value.referenced ? ", not what " + printable(node.text) + " stands for"
                                            : ", not " + quoted(value.text) + advice(scalar, value.text)));
    } else if (scalar.doubt && !key.bare_seconds && !key.secret) {
      const std::string doubt = scalar.doubt(value.text);
      if (!doubt.empty()) problems_.warn(place, path, doubt);
    }
  }

  void element(const Key& key, const List& list, std::size_t index, const Node& node, const std::string& list_path) {
    const std::string path = list_path + '[' + std::to_string(index) + ']';
    problems_.found(path, node.place);
    if (list.scalar && !(list.members && node.kind == Node::Kind::map)) {
      set(node, node.place, path, key, list.scalar(index), path);
    } else if (node.kind != Node::Kind::map) {
      problems_.add(node.place, path, "must be a section of keys, not " + name_of(node));
    } else {
      visit(&node, node.place, path, [&] { list.members(index); });
    }
  }

  void visit(const Node* map, Place place, std::string path, const std::function<void()>& members) {
    frames_.push_back({map, place, std::move(path), {}, {}});
    members();
    leave();
  }

  /// In YAML a secret without quotes ends at a comma, and the rest of it looks like keys.
  static bool may_be_secret(const Frame& frame, const Node::Entry& entry) {
    if (!frame.secret || entry.place.line < frame.secret->line) return false;
    return entry.place.line == frame.secret->line || entry.value->kind == Node::Kind::null || !is_name(entry.key);
  }

  /// All members have been visited: the keys that are left are unknown.
  void leave() {
    const Frame frame = std::move(frames_.back());
    frames_.pop_back();
    if (frame.map == nullptr) return;
    std::set<std::string_view> seen;
    for (const Node::Entry& entry : frame.map->entries) {
      const bool known = std::find(frame.known.begin(), frame.known.end(), entry.key) != frame.known.end();
      const std::string near = known ? "" : nearest(entry.key, frame.known);
      const bool hidden = !known && near.empty() && may_be_secret(frame, entry);
      const std::string name = hidden ? "…" : printable(entry.key);
      const std::string path = frame.path.empty() ? name : frame.path + '.' + name;
      if (!seen.insert(entry.key).second) {
        problems_.add(entry.place, path, "is given twice");
      } else if (!known) {
        std::string message = near.empty() ? "unknown key" : "unknown key; did you mean " + near + "?";
        const std::string blank = hidden ? "" : name_of_blank(entry.key);
        problems_.add(entry.place, path,
                      blank.empty() ? message : message + (near.empty() ? "; it holds " : " It holds ") + blank);
      }
    }
  }

  Problems& problems_;
  References* references_;
  std::vector<Frame> frames_;
  std::size_t budget_ = kMaxSubstitutedBytes;
};

}  // namespace

bool is_within(std::string_view path, std::string_view outer) {
  if (!path.starts_with(outer)) return false;
  return path.size() == outer.size() || path[outer.size()] == '.' || path[outer.size()] == '[';
}

Problems::Problems(std::string file, const std::vector<Override>& overrides) : file_(std::move(file)) {
  for (const Override& override : overrides) flags_.push_back(override.flag);
}

void Problems::warn(Place place, std::string path, std::string message) {
  warnings_.push_back({file_, place, std::move(path), std::move(message), true});
}

void Problems::add(Place place, std::string path, std::string message) {
  errors_.push_back({file_, place, std::move(path), std::move(message)});
}

void Problems::require(bool holds, std::initializer_list<std::string_view> paths, std::string message) {
  if (holds) return;
  Error error{file_, {}, std::string(*paths.begin()), std::move(message)};
  bool placed = false;
  for (const std::string_view path : paths) {
    for (const Error& other : errors_) {
      if (is_within(other.path, path)) return;
    }
    const auto found = places_.find(path);
    if (placed || found == places_.end()) continue;
    error.place = found->second;
    error.path = path;
    placed = true;
  }
  errors_.push_back(std::move(error));
}

std::vector<Error> Problems::take() {
  return sorted(std::move(errors_));
}

std::vector<Error> Problems::take_warnings() {
  return sorted(std::move(warnings_));
}

std::vector<Error> Problems::sorted(std::vector<Error> found) const {
  std::stable_sort(found.begin(), found.end(), [](const Error& a, const Error& b) { return a.place < b.place; });
  for (Error& each : found) {
    if (each.place.line != 0) continue;
    each.file = flags_.at(static_cast<std::size_t>(each.place.column) - 1);
    each.place.column = 0;
  }
  return found;
}

std::vector<Error> read(const Source& source, const Describe& describe, const std::function<void(Problems&)>& check,
                        References* references, std::vector<Error>* warnings) {
  Problems problems(source.file, source.overrides);
  const Document document = parse_document(source.text);
  if (!document.fault.empty()) {
    problems.add(document.place, "", document.fault);
    return problems.take();
  }
  std::shared_ptr<const Node> root = document.root;
  if (root == nullptr || root->kind == Node::Kind::null) {
    problems.add({}, "", "holds no key; if every one is meant to have its default, write {}");
    return problems.take();
  }
  for (std::size_t i = 0; i < source.overrides.size(); ++i) {
    const Place place = place_of_override(i);
    Overridden next = with_override(root, source.overrides[i], place);
    if (!next.fault.empty()) problems.add(place, source.overrides[i].path, next.fault);
    root = std::move(next.root);
  }
  Reader reader(root.get(), problems, references);
  describe(reader);
  reader.finish();
  check(problems);
  if (warnings != nullptr) *warnings = problems.take_warnings();
  return problems.take();
}

std::vector<Error> read_file(const Origin& origin, const Describe& describe,
                             const std::function<void(Problems&)>& check, References* references,
                             std::vector<Error>* warnings) {
  constexpr const char* kAllDefaults = "{}";
  if (origin.path.empty()) {
    return read({"command line", kAllDefaults, origin.overrides}, describe, check, references, warnings);
  }
  FileText file = read_bounded(origin.path, kMaxFileBytes);
  if (!file.error.empty()) return {{origin.path, {}, "", "cannot be read: " + file.error}};
  return read({origin.path, std::move(file.text), origin.overrides}, describe, check, references, warnings);
}

}  // namespace config
