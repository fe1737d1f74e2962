#include <algorithm>
#include <array>

#include "config/substitute.hpp"
#include "config/write.hpp"
#include "proxy/text/json.hpp"

namespace config {
namespace {

constexpr std::string_view kHidden = "***";

/// Whether a YAML reader takes the text, unquoted, for this very string.
bool is_plain(std::string_view text) {
  constexpr std::array<std::string_view, 9> kWords = {"null", "Null", "NULL", "true", "false", "yes", "no", "y", "n"};
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto fits = [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '/' || c == '-' || c == ':';
  };
  if (text.empty() || text.back() == ':' || !std::all_of(text.begin(), text.end(), fits)) return false;
  if (std::find(kWords.begin(), kWords.end(), text) != kWords.end()) return false;
  const bool number_like = std::none_of(text.begin(), text.end(), is_letter) && text.find(':') == text.npos;
  return !number_like &&
         (is_letter(text.front()) || text.front() == '/' || (text.front() >= '0' && text.front() <= '9'));
}

std::string yaml_text(const std::string& value) {
  const std::string escaped = escape_substitution(value);
  return is_plain(escaped) ? escaped : text::json_quoted(escaped);
}

/// Whether the text is one reference and nothing else: no part of a secret stands beside it, or as its default.
bool only_refers(std::string_view text) {
  return text.starts_with("${") && text.find('}') == text.size() - 1 && text.find(":-") == text.npos;
}

class YamlWriter final : public Fields {
 public:
  explicit YamlWriter(const References& references) : references_(references) {}

  std::string take() { return std::move(text_); }

  void scalar(const Key& key, Scalar scalar) override {
    if (const auto value = print(key, scalar, path_ + std::string(key.name))) line(key.name, ' ' + *value);
  }

  void section(const Key& key, const std::function<void()>& members) override {
    const std::string lead = lead_, outer = indent_;
    const std::size_t before = text_.size();
    line(key.name, "");
    if (!block(outer + "  ", outer + "  ", path_ + std::string(key.name), members)) {
      if (key.optional) {
        text_.resize(before);
        lead_ = lead;
        return;
      }
      text_.insert(text_.size() - 1, " {}");
    }
  }

  void list(const Key& key, List list) override {
    const std::size_t length = list.size();
    if (key.optional && length == 0) return;
    if (list.scalar && all_scalars(list, length)) {
      line(key.name, ' ' + scalars(key, list, length));
      return;
    }
    line(key.name, length == 0 ? " []" : "");
    const std::string outer = indent_;
    for (std::size_t i = 0; i < length; ++i) {
      const bool any = block(outer + "  - ", outer + "    ", element(key, i), [&] { list.members(i); });
      if (!any) text_ += outer + "  - {}\n";
    }
  }

 private:
  /// Not so where an element needs its mapping.
  static bool all_scalars(const List& list, std::size_t length) {
    for (std::size_t i = 0; list.members && i < length; ++i) {
      if (!list.scalar(i).print()) return false;
    }
    return true;
  }

  std::optional<std::string> print(const Key& key, const Scalar& scalar, const std::string& path) const {
    const auto value = scalar.print();
    if (!value) return {};
    const auto reference = references_.find(path);
    const bool referred = reference != references_.end();
    if (referred && (!key.secret || only_refers(reference->second))) return text::json_quoted(reference->second);
    if (key.secret) return text::json_quoted(value->empty() ? "" : kHidden);
    return scalar.literal ? *value : yaml_text(*value);
  }

  std::string element(const Key& key, std::size_t index) const {
    return path_ + std::string(key.name) + '[' + std::to_string(index) + ']';
  }

  std::string scalars(const Key& key, const List& list, std::size_t length) const {
    if (list.single && length == 1) return print(key, list.scalar(0), element(key, 0)).value_or("");
    std::string items;
    for (std::size_t i = 0; i < length; ++i) {
      items += (i > 0 ? ", " : "") + print(key, list.scalar(i), element(key, i)).value_or("");
    }
    return '[' + items + ']';
  }

  void line(std::string_view name, const std::string& value) {
    text_.append(lead_).append(name).append(":").append(value).append("\n");
    lead_ = indent_;
  }

  /// False if the members wrote nothing.
  bool block(std::string first_lead, std::string indent, const std::string& path,
             const std::function<void()>& members) {
    const std::size_t before = text_.size();
    const std::string outer = std::exchange(indent_, std::move(indent));
    const std::string outer_path = std::exchange(path_, path + '.');
    lead_ = std::move(first_lead);
    members();
    path_ = outer_path;
    indent_ = outer;
    lead_ = outer;
    return text_.size() != before;
  }

  const References& references_;
  std::string text_;
  std::string path_;  ///< of what is being written, with a dot behind it
  std::string indent_;
  std::string lead_;  ///< of the next line; differs from the indent in the first line of a list element
};

}  // namespace

std::string to_yaml(const Describe& describe, const References& references) {
  YamlWriter writer(references);
  describe(writer);
  return writer.take();
}

}  // namespace config
