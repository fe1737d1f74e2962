#include "config/document.hpp"

#include <algorithm>
#include <array>
#include <sstream>
#include <unordered_map>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "proxy/text/utf8.hpp"

namespace config {
namespace {

struct Fault {
  Place place;
  std::string message;
};

Place place_of(const YAML::Mark& mark) {
  return mark.is_null() ? Place{} : Place{.line = mark.line + 1, .column = mark.column + 1};
}

class Builder final : public YAML::EventHandler {
 public:
  std::shared_ptr<const Node> root() const { return root_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) throw Fault{place_of(mark), "a second document; one file holds one"};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(make(Node::Kind::null, mark), anchor); }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_tag(mark, tag);
    auto node = make(Node::Kind::scalar, mark);
    node->text = value;
    add(node, anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchored_.find(anchor);
    if (found == anchored_.end()) throw Fault{place_of(mark), "an alias within what it stands for"};
    if (++aliases_ > kMaxAliases) {
      throw Fault{place_of(mark), "more than " + std::to_string(kMaxAliases) + " aliases"};
    }
    count(mark, found->second->weight);
    attach(found->second);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open(Node::Kind::list, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open(Node::Kind::map, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    std::shared_ptr<Node> node;
    YAML::anchor_t anchor;
    bool has_key = false;
    std::string key;
    Place key_place;
  };

  void count(const YAML::Mark& mark, std::size_t weight) {
    nodes_ += weight;
    if (nodes_ > kMaxNodes) throw Fault{place_of(mark), "more than " + std::to_string(kMaxNodes) + " values"};
  }

  static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    // yaml-cpp marks nodes without a tag with one of these: plain, quoted, collection.
    if (tag != "?" && tag != "!" && !tag.empty()) throw Fault{place_of(mark), "tags such as !!str are not used here"};
  }

  std::shared_ptr<Node> make(Node::Kind kind, const YAML::Mark& mark) {
    count(mark, 1);
    auto node = std::make_shared<Node>();
    node->kind = kind;
    node->place = place_of(mark);
    return node;
  }

  void add(const std::shared_ptr<const Node>& node, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) anchored_[anchor] = node;
    attach(node);
  }

  /// Adds a finished node to the collection that contains it.
  void attach(const std::shared_ptr<const Node>& node) {
    if (open_.empty()) {
      root_ = node;
      return;
    }
    Open& parent = open_.back();
    if (parent.node->kind == Node::Kind::list) {
      parent.node->items.push_back(node);
    } else if (!parent.has_key) {
      if (node->kind != Node::Kind::scalar) throw Fault{node->place, "a key must be a plain name"};
      parent.key = node->text;
      parent.key_place = node->place;
      parent.has_key = true;
      return;  // a key has no weight of its own: it cannot be anchored without its value
    } else {
      parent.node->entries.push_back({std::move(parent.key), parent.key_place, node});
      parent.has_key = false;
    }
    parent.node->weight += node->weight;
  }

  void open(Node::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    refuse_tag(mark, tag);
    // Check before the parser goes deeper, since it recurses once for each level.
    if (open_.size() >= kMaxDepth) {
      throw Fault{place_of(mark), "nested deeper than " + std::to_string(kMaxDepth) + " levels"};
    }
    open_.push_back({make(kind, mark), anchor, false, {}, {}});
  }

  void close() {
    const Open done = std::move(open_.back());
    open_.pop_back();
    add(done.node, done.anchor);
  }

  std::vector<Open> open_;
  std::shared_ptr<const Node> root_;
  std::unordered_map<YAML::anchor_t, std::shared_ptr<const Node>> anchored_;
  std::size_t nodes_ = 0;
  int aliases_ = 0;
  int documents_ = 0;
};

/// The most frequent errors of the parser, as advice for the user.
std::string clearer(const std::string& complaint) {
  struct Wording {
    const char* theirs;
    const char* ours;
  };
  static const std::array<Wording, 5> kWordings = {{
      {YAML::ErrorMsg::END_OF_MAP, "neither a key nor the end of the section; check indentation and quotes"},
      {YAML::ErrorMsg::MAP_VALUE, "a ':' where no key can be; check indentation, or quote the text"},
      {YAML::ErrorMsg::EOF_IN_SCALAR, "a quote that is never closed"},
      {YAML::ErrorMsg::END_OF_SEQ_FLOW, "a '[' without its ']'"},
      {YAML::ErrorMsg::END_OF_MAP_FLOW, "a '{' without its '}'"},
  }};
  for (const Wording& wording : kWordings) {
    if (complaint == wording.theirs) return wording.ours;
  }
  return complaint;
}

/// The first line up to `last` that is indented by something that YAML does not take for spaces, and what that is.
Document bad_indentation(std::string_view text, int last) {
  for (int line = 1; line <= last && !text.empty(); ++line) {
    const std::string_view whole = text.substr(0, text.find('\n'));
    const std::string_view blank = whole.substr(std::min(whole.find_first_not_of(' '), whole.size()));
    std::string name = blank.starts_with('\t') ? "a tab" : "";
    if (name.empty()) name = name_of_blank(blank.substr(0, 3));
    if (!name.empty()) {
      const int column = static_cast<int>(whole.size() - blank.size()) + 1;
      return {nullptr, {.line = line, .column = column}, name + " in the indentation; indent by spaces"};
    }
    text.remove_prefix(std::min(whole.size() + 1, text.size()));
  }
  return {};
}

Place place_at(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto lines = std::count(before.begin(), before.end(), '\n');
  const std::size_t line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return {.line = static_cast<int>(lines) + 1, .column = static_cast<int>(offset - line_start) + 1};
}

}  // namespace

std::size_t find_unfit_byte(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool control = byte < 0x20 ? byte != '\t' && byte != '\n' && byte != '\r' : byte == 0x7F;
    const std::size_t length = control ? 0 : text::utf8_length(text.substr(i));
    if (length == 0) return i;
    i += length;
  }
  return std::string_view::npos;
}

std::string name_of_blank(std::string_view text) {
  struct Blank {
    std::string_view bytes, name;
  };
  constexpr Blank kBlanks[] = {
      {"\u00A0", "a no-break space (U+00A0)"},     {"\u202F", "a narrow no-break space (U+202F)"},
      {"\u3000", "an ideographic space (U+3000)"}, {"\u200B", "a zero-width space (U+200B)"},
      {"\uFEFF", "a byte order mark (U+FEFF)"},    {"\t", "a tab"}};
  std::size_t first = std::string_view::npos;
  std::string_view name;
  for (const Blank& blank : kBlanks) {
    const std::size_t at = text.find(blank.bytes);
    if (at < first) first = at, name = blank.name;
  }
  return std::string(name);
}

Document parse_document(std::string_view text) {
  if (text.size() > kMaxFileBytes) {
    return {nullptr, {}, "longer than " + std::to_string(kMaxFileBytes) + " bytes"};
  }
  if (const std::size_t unfit = find_unfit_byte(text); unfit != std::string_view::npos) {
    return {nullptr, place_at(text, unfit), "a control byte, or not UTF-8"};
  }
  // yaml-cpp accepts a quote that is still open at the end if the last line is complete. So append an incomplete line.
  std::istringstream stream{std::string(text) + "\n#"};
  Builder builder;
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Fault& fault) {
    return {nullptr, fault.place, fault.message};
  } catch (const YAML::Exception& error) {
    const Place end = place_at(text, text.size());  // the parser read more than the text
    const Place place = std::min(place_of(error.mark), end);
    if (Document why = bad_indentation(text, place.line); !why.fault.empty()) return why;
    return {nullptr, place, "not YAML: " + clearer(error.msg)};
  }
  return {builder.root(), {}, {}};
}

}  // namespace config
