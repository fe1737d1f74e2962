#include "config/write.hpp"

namespace config {
namespace {

std::string cell(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '|') result += '\\';
    result += c;
  }
  return result;
}

class ReferenceWriter final : public Fields {
 public:
  std::string take() { return std::move(text_); }

  void scalar(const Key& key, Scalar scalar) override { row(key, default_of(key, scalar.print()), scalar.words); }

  void section(const Key& key, const std::function<void()>& members) override {
    row(key, "", "a section");
    nested(std::string(key.name) + '.', members);
  }

  void list(const Key& key, List list) override {
    const std::size_t length = list.size();
    std::string accepts = std::to_string(list.length.min) + " to " + std::to_string(list.length.max) + " of: ";
    std::string present = "[";
    if (list.scalar) {
      for (std::size_t i = 0; i < length; ++i) present += (i > 0 ? ", " : "") + list.scalar(i).print().value_or("");
      list.resize(length + 1);
      accepts = (list.single ? "one, or a list of " : "a list of ") + accepts + list.scalar(length).words +
                (list.members ? ", or a section" : "");
      list.resize(length);
    } else {
      accepts = "a list of " + accepts + "a section";
    }
    present += ']';
    if (list.single && length == 1) present = present.substr(1, present.size() - 2);
    row(key, default_of(key, present), accepts);
    if (!list.members) return;
    list.resize(length + 1);
    nested(std::string(key.name) + "[].", [&] { list.members(length); });
    list.resize(length);
  }

 private:
  static std::string default_of(const Key& key, const std::optional<std::string>& present) {
    if (key.required) return "required";
    return present ? '`' + cell(*present) + '`' : "not set";
  }

  void row(const Key& key, const std::string& default_value, const std::string& accepts) {
    text_.append("| `").append(path_).append(key.name).append("` | ").append(default_value).append(" | ");
    text_.append(cell(accepts)).append(" | ").append(cell(key.doc));
    if (key.needs_restart) text_.append(" Takes a restart.");
    if (key.secret) text_.append(" Never printed.");
    text_.append(" |\n");
  }

  void nested(const std::string& step, const std::function<void()>& members) {
    const std::size_t length = path_.size();
    path_ += step;
    members();
    path_.resize(length);
  }

  std::string text_ = "| key | default | accepts | meaning |\n| --- | --- | --- | --- |\n";
  std::string path_;
};

}  // namespace

std::string to_reference(const Describe& describe, std::string_view title) {
  ReferenceWriter writer;
  describe(writer);
  return "## " + std::string(title) + "\n\n" + writer.take();
}

}  // namespace config
