#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace text {

/// Writes JSON straight to the end of a string, without a document in between. The caller keeps the structure sound;
/// commas are set here. Text must be valid UTF-8.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);

  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(bool flag);
  JsonWriter& value(int number) { return value(static_cast<std::int64_t>(number)); }
  JsonWriter& value(std::int64_t number);
  JsonWriter& value(std::uint64_t number);
  JsonWriter& value(double number, int decimals);
  /// 350 as 3.50.
  JsonWriter& hundredths(int number);
  JsonWriter& null();

  template <class T>
  JsonWriter& member(std::string_view name, T item) {
    return key(name).value(item);
  }
  JsonWriter& member(std::string_view name, double number, int decimals) { return key(name).value(number, decimals); }

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  void separate();

  std::string& out_;
  bool first_ = true;  ///< nothing to separate from: at the start, after an opening bracket or a key
};

/// Appends `text` as the inside of a JSON string. Escapes DEL as well, so that the result with its quotes is also a
/// YAML scalar.
void append_json_escaped(std::string& out, std::string_view text);

/// `text` as a JSON string with its quotes.
std::string json_quoted(std::string_view text);

}  // namespace text
