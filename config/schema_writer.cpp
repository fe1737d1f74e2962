#include "config/write.hpp"
#include "proxy/text/json.hpp"

namespace config {
namespace {

/// A substitution may replace any scalar.
constexpr std::string_view kSubstitution = R"({"type": "string", "pattern": "\\$\\{(env|file):"})";
constexpr std::string_view kSubstitutionReference = R"({"$ref": "#/$defs/substitution"})";

/// The alternatives for one scalar, in one line.
std::string any_of(const Scalar& scalar) {
  std::string result = R"("anyOf": [)";
  for (const std::string& alternative : scalar.schema) result += alternative + ", ";
  return result.append(kSubstitutionReference) + "]";
}

std::string default_of(const Scalar& scalar) {
  const auto value = scalar.print();
  if (!value) return {};
  return scalar.literal ? *value : text::json_quoted(*value);
}

std::string default_of(const List& list) {
  if (!list.scalar) return list.size() == 0 ? "[]" : "";
  std::string items;
  for (std::size_t i = 0; i < list.size(); ++i) items += (i > 0 ? ", " : "") + default_of(list.scalar(i));
  return list.single && list.size() == 1 ? items : "[" + items + "]";
}

class SchemaWriter final : public Fields {
 public:
  explicit SchemaWriter(std::string_view title) {
    open("{");
    line(R"("$schema": "https://json-schema.org/draft/2020-12/schema")");
    line(R"("title": )" + text::json_quoted(title));
    line(R"("$defs": {"substitution": )" + std::string(kSubstitution) + "}");
  }

  std::string finish(const std::function<void()>& members) {
    object(R"("object")", members);
    close("}");
    return text_ + "\n";
  }

  void scalar(const Key& key, Scalar scalar) override {
    property(key, key.required ? "" : default_of(scalar), [&] { line(any_of(scalar)); });
  }

  void section(const Key& key, const std::function<void()>& members) override {
    property(key, "", [&] { object(R"(["object", "null"])", members); });
  }

  void list(const Key& key, List list) override {
    property(key, key.required ? "" : default_of(list), [&] {
      if (!list.single) {
        array(list);
        return;
      }
      open(R"("anyOf": [)");
      open("{");
      element(list);
      close("}");
      open("{");
      array(list);
      close("}");
      close("]");
    });
  }

 private:
  /// An element to take the schema from: the list is grown for a moment.
  static Scalar list_element(const List& list) {
    const std::size_t length = list.size();
    list.resize(length + 1);
    Scalar element = list.scalar(length);
    list.resize(length);
    return element;  // its words and schema; what it refers to is gone
  }

  void element(const List& list) {
    if (!list.members) return line(any_of(list_element(list)));
    if (list.scalar) {
      open(R"("anyOf": [)");
      open("{");
      line(any_of(list_element(list)));
      close("}");
      open("{");
    }
    const std::size_t length = list.size();
    list.resize(length + 1);
    object(R"("object")", [&] { list.members(length); });
    list.resize(length);
    if (list.scalar) {
      close("}");
      close("]");
    }
  }

  void array(const List& list) {
    line(list.length.min == 0 ? R"("type": ["array", "null"])" : R"("type": "array")");
    line(R"("minItems": )" + std::to_string(list.length.min));
    line(R"("maxItems": )" + std::to_string(list.length.max));
    open(R"("items": {)");
    element(list);
    close("}");
  }

  void property(const Key& key, const std::string& default_value, const std::function<void()>& type) {
    if (key.required) required_ += (required_.empty() ? "" : ", ") + text::json_quoted(key.name);
    open(text::json_quoted(key.name) + ": {");
    line(R"("description": )" + text::json_quoted(key.doc));
    if (!default_value.empty()) line(R"("default": )" + default_value);
    type();
    close("}");
  }

  void object(std::string_view type, const std::function<void()>& members) {
    line(R"("type": )" + std::string(type));
    line(R"("additionalProperties": false)");
    const std::string outer_required = std::exchange(required_, "");
    open(R"("properties": {)");
    members();
    close("}");
    if (!required_.empty()) line(R"("required": [)" + required_ + "]");
    required_ = outer_required;
  }

  void line(const std::string& content) {
    if (!text_.empty()) text_ += first_ ? "\n" : ",\n";
    text_.append(indent_, ' ').append(content);
    first_ = false;
  }
  void open(const std::string& content) {
    line(content);
    indent_ += 2;
    first_ = true;
  }
  void close(std::string_view bracket) {
    indent_ -= 2;
    text_.append("\n").append(indent_, ' ').append(bracket);
    first_ = false;
  }

  std::string text_;
  std::size_t indent_ = 0;
  bool first_ = true;     ///< of its object or array: no comma before it
  std::string required_;  ///< of the object being written
};

}  // namespace

std::string to_schema(const Describe& describe, std::string_view title) {
  SchemaWriter writer(title);
  return writer.finish([&] { describe(writer); });
}

}  // namespace config
