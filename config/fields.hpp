#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The parser, the printed values, the JSON Schema and the reference page all come from one description of a program's
/// configuration: one function that names every field of a plain struct:
///
///     void describe(config::Fields& f, ApiConfig& c) {
///       f.value({.name = "listen", .doc = "Address to serve on.", .needs_restart = true}, c.listen);
///       f.integer({"workers", "Event-loop threads."}, c.workers, {1, 64});
///       f.section({"database", "The connection pool."}, [&] {
///         f.text({.name = "url", .doc = "Connection string.", .secret = true, .required = true}, c.database.url);
///         f.duration({"pool_timeout", "Longest wait for a connection."}, c.database.pool_timeout, {0s, 1h});
///       });
///     }
///
/// The member initialisers of the struct are the defaults. `config/load.hpp` reads a file,
/// `config/write.hpp` prints. Nothing here is for the request path; nothing is thread-safe.
namespace config {

using Duration = std::chrono::nanoseconds;

/// Longest text in bytes, so that no value makes a log line or a header too long.
inline constexpr std::size_t kMaxTextBytes = 4096;
/// Most elements of a list, unless the field allows fewer.
inline constexpr std::size_t kMaxListLength = 1000;

/// The name of a field within its section, and what a user must know: unit, meaning of zero.
/// The views must outlive the call; in practice they are literals.
struct Key {
  std::string_view name;
  std::string_view doc;
  bool needs_restart = false;  ///< a reload cannot apply it
  bool secret = false;         ///< never printed, not even in an error
  bool required = false;       ///< it has no usable default, so leaving it out is an error
  bool bare_seconds = false;   ///< a large number of seconds without a unit is usual here, so it is no slip
  bool optional = false;       ///< a section or list that is not printed while nothing in it has a value
  bool identity = false;       ///< tells the elements of its list apart, so that a reload finds them again
  bool with_list = false;      ///< of an element: takes a restart if the list gets other elements, or another order
};

/// Both ends are included.
template <class T>
struct Range {
  T min;
  T max;
};

/// A value that is one YAML scalar: how to set it, print it, and what it accepts, in words and as JSON Schema.
struct Scalar {
  std::function<bool(std::string_view)> set;                ///< false and unchanged when the text is not acceptable
  std::function<std::optional<std::string>()> print;        ///< a text that `set` accepts; nothing when not set
  std::string words;                                        ///< completes "must be …": "an integer from 1 to 64"
  std::vector<std::string> schema;                          ///< JSON Schema alternatives, each a JSON object
  bool literal = false;                                     ///< prints as a JSON number or boolean, not as a string
  std::function<std::string(std::string_view)> hint = {};   ///< for a refused text: "write 30s", or nothing
  std::function<std::string(std::string_view)> doubt = {};  ///< for an accepted text that is probably a slip
};

/// A list of scalars (`scalar` is set) or of mappings (`members` is set). If both are set, an element is a mapping, and
/// the scalar is its short form.
struct List {
  std::function<std::size_t()> size;
  std::function<void(std::size_t)> resize;    ///< new elements have the defaults of their struct
  std::function<Scalar(std::size_t)> scalar;  ///< the element at an index
  std::function<void(std::size_t)> members;   ///< visits the fields of the element at an index
  Range<std::size_t> length{0, kMaxListLength};
  bool single = false;  ///< a single element needs no list around it
};

/// The form of a text, if more than its length is limited.
struct TextForm {
  std::string_view words;                  ///< completes "must be …"
  std::string_view pattern;                ///< ECMA 262 regular expression for the schema
  bool (*accepts)(std::string_view text);  ///< decides; the text is valid UTF-8 without control bytes
  bool numbers = false;                    ///< YAML's numbers can be such texts, so the schema accepts them, too
};

// The scalars. Each refers to its value, which must outlive it.
Scalar flag(bool& value);                                       // true | false
Scalar integer(int& value, Range<int> range);                   // 42
Scalar number(double& value, Range<double> range);              // 0.8
Scalar duration(Duration& value, Range<Duration> range);        // 250ms, 5s, 0.5 (seconds)
Scalar size(std::uint64_t& value, Range<std::uint64_t> range);  // 16KiB, 512 (bytes)
Scalar text(std::string& value, Range<std::size_t> length);     // bytes, after substitution
Scalar text(std::string& value, const TextForm& form);
Scalar optional_text(std::optional<std::string>& value, Range<std::size_t> length);
Scalar optional_text(std::optional<std::string>& value, const TextForm& form);
Scalar one_of(std::vector<std::string> names, std::function<void(std::size_t)> set, std::function<std::size_t()> get);

/// {"type": "string"} with a pattern, if there is one. `numbers`: or a whole number, which YAML does not quote.
std::string string_schema(std::string_view pattern, bool numbers = false);

/// A type of its own, found by argument-dependent lookup:
///   bool parse(std::string_view text, T& value);   // false: not acceptable, `value` unchanged
///   std::string to_text(const T& value);           // `parse` accepts it
///   std::string_view words_for(const T&);          // completes "must be …"
///   std::string_view pattern_for(const T&);        // ECMA 262 regular expression for the schema; may be empty
///   std::string hint_for(std::string_view text, const T&);  // optional: what to write instead of a refused text
///   std::string doubt_for(std::string_view text, const T&);  // optional: why an accepted text is probably a slip
template <class T>
Scalar parsed(T& value) {
  Scalar scalar;
  scalar.set = [&value](std::string_view text) { return parse(text, value); };
  scalar.print = [&value]() -> std::optional<std::string> { return to_text(value); };
  scalar.words = words_for(value);
  scalar.schema = {string_schema(pattern_for(value))};
  if constexpr (requires { hint_for(std::string_view(), value); }) {
    scalar.hint = [&value](std::string_view text) { return hint_for(text, value); };
  }
  if constexpr (requires { doubt_for(std::string_view(), value); }) {
    scalar.doubt = [&value](std::string_view text) { return doubt_for(text, value); };
  }
  return scalar;
}

/// The visitor. A description is run by several of them: reader, printer, schema writer, reference writer.
class Fields {
 public:
  Fields() = default;
  Fields(const Fields&) = delete;
  Fields& operator=(const Fields&) = delete;
  virtual ~Fields() = default;

  // The three primitives.
  virtual void scalar(const Key& key, Scalar scalar) = 0;
  virtual void section(const Key& key, const std::function<void()>& members) = 0;
  virtual void list(const Key& key, List list) = 0;

  // The rest calls one of the primitives.
  void flag(const Key& key, bool& value) { scalar(key, config::flag(value)); }
  void integer(const Key& key, int& value, Range<int> range) { scalar(key, config::integer(value, range)); }
  void number(const Key& key, double& value, Range<double> range) { scalar(key, config::number(value, range)); }
  void duration(const Key& key, Duration& value, Range<Duration> range) { scalar(key, config::duration(value, range)); }
  void size(const Key& key, std::uint64_t& value, Range<std::uint64_t> range) {
    scalar(key, config::size(value, range));
  }
  /// By default any text except the empty one.
  void text(const Key& key, std::string& value, Range<std::size_t> length = {1, kMaxTextBytes}) {
    scalar(key, config::text(value, length));
  }
  void text(const Key& key, std::string& value, const TextForm& form) { scalar(key, config::text(value, form)); }
  /// It is not printed while it has no value.
  void optional_text(const Key& key, std::optional<std::string>& value,
                     Range<std::size_t> length = {1, kMaxTextBytes}) {
    scalar(key, config::optional_text(value, length));
  }
  void optional_text(const Key& key, std::optional<std::string>& value, const TextForm& form) {
    scalar(key, config::optional_text(value, form));
  }
  /// `parse` and friends of T decide; see `parsed`.
  template <class T>
  void value(const Key& key, T& value) {
    scalar(key, parsed(value));
  }
  /// An enumeration by its names.
  template <class E>
  void choice(const Key& key, E& value, std::initializer_list<std::pair<std::string_view, E>> choices) {
    std::vector<std::string> names;
    std::vector<E> values;
    for (const auto& [name, each] : choices) {
      names.emplace_back(name);
      values.push_back(each);
    }
    scalar(key, one_of(
                    std::move(names), [&value, values](std::size_t i) { value = values[i]; },
                    [&value, values] {
                      std::size_t i = 0;
                      while (values[i] != value) ++i;
                      return i;
                    }));
  }
  /// A list of T's own scalars.
  template <class T>
  void values(const Key& key, std::vector<T>& items, Range<std::size_t> length = {0, kMaxListLength}) {
    list(key, list_of(items, length, false));
  }
  /// One T, or a list of them.
  template <class T>
  void one_or_more(const Key& key, std::vector<T>& items, std::size_t at_most = kMaxListLength) {
    list(key, list_of(items, {1, at_most}, true));
  }
  /// One T, or a list of them, each a scalar or a mapping whose fields `describe_item(item)` names.
  /// `to_text` returns nothing for an element that needs the mapping.
  template <class T, class DescribeItem>
  void one_or_more(const Key& key, std::vector<T>& items, std::size_t at_most, DescribeItem describe_item) {
    List result = list_of(items, {1, at_most}, true);
    result.members = [&items, describe_item](std::size_t i) { describe_item(items[i]); };
    list(key, std::move(result));
  }
  /// None, one T, or a list of them.
  template <class T>
  void any_number(const Key& key, std::vector<T>& items, std::size_t at_most) {
    list(key, list_of(items, {0, at_most}, true));
  }
  /// One T, a scalar or a mapping whose fields `describe_item(item)` names.
  template <class T, class DescribeItem>
  void one(const Key& key, T& item, DescribeItem describe_item) {
    List result;
    result.size = [] { return std::size_t{1}; };
    result.resize = [&item](std::size_t) { item = T(); };
    result.scalar = [&item](std::size_t) { return parsed(item); };
    result.members = [&item, describe_item](std::size_t) { describe_item(item); };
    result.length = {1, 1};
    result.single = true;
    list(key, std::move(result));
  }
  /// A list of mappings; `describe_item(item)` names the fields of one.
  template <class T, class DescribeItem>
  void sections(const Key& key, std::vector<T>& items, Range<std::size_t> length, DescribeItem describe_item) {
    List result = sized(items, length);
    result.members = [&items, describe_item](std::size_t i) { describe_item(items[i]); };
    list(key, std::move(result));
  }

 private:
  template <class T>
  static List sized(std::vector<T>& items, Range<std::size_t> length) {
    List result;
    result.size = [&items] { return items.size(); };
    result.resize = [&items](std::size_t n) { items.resize(n); };
    result.length = length;
    return result;
  }
  template <class T>
  static List list_of(std::vector<T>& items, Range<std::size_t> length, bool single) {
    List result = sized(items, length);
    result.scalar = [&items](std::size_t i) { return parsed(items[i]); };
    result.single = single;
    return result;
  }
};

}  // namespace config
