#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include <boost/json.hpp>

#include "proxy/net/clock.hpp"

/// Writes and reads the members of JSON objects. A `describe` function names each member once for both, so that they
/// cannot differ.
namespace spillway::handover {

namespace json = boost::json;

inline json::string_view view(std::string_view text) {
  return {text.data(), text.size()};
}

/// Durations are whole nanoseconds.
class MemberWriter {
 public:
  explicit MemberWriter(json::object& object) : object_(object) {}

  template <class Number>
  void number(std::string_view name, Number value, double, double) {
    object_[view(name)] = value;
  }
  void flag(std::string_view name, bool value) { object_[view(name)] = value; }
  template <class Enum>
  void choice(std::string_view name, Enum value, Enum) {
    number(name, static_cast<int>(value), 0, 0);
  }
  /// Whether it has a value; which one does not pass on.
  template <class T>
  void presence(std::string_view name, const std::optional<T>& value) {
    flag(name, value.has_value());
  }
  void text(std::string_view name, const std::string& value) { object_[view(name)] = view(value); }
  void duration(std::string_view name, Duration value) { object_[view(name)] = value.count(); }
  void age(std::string_view name, Duration value) { duration(name, value); }
  template <class Part, class Describe>
  void part(std::string_view name, const Part& value, Describe describe) {
    json::object inside;
    MemberWriter members(inside);
    describe(members, value);
    object_[view(name)] = std::move(inside);
  }
  template <class List, class Describe>
  void list(std::string_view name, const List& items, std::size_t, Describe describe) {
    json::array array;
    for (const auto& item : items) {
      json::object inside;
      MemberWriter members(inside);
      describe(members, item);
      array.emplace_back(std::move(inside));
    }
    object_[view(name)] = std::move(array);
  }
  template <class List>
  void numbers(std::string_view name, const List& items, std::size_t, double, double) {
    json::array array;
    for (const auto item : items) array.emplace_back(item);
    object_[view(name)] = std::move(array);
  }

 private:
  json::object& object_;
};

/// A member that is missing keeps its value; an unknown one is skipped. The first that has another type, or is outside
/// its range, is remembered: then nothing of the object is of use.
class MemberReader {
 public:
  // Seconds. Sums and products of the longest that are computed with stay within 64 bits of nanoseconds.
  static constexpr double kLongest = 1e5;  ///< of a time that something takes
  static constexpr double kOldest = 1e9;   ///< of a time since when: longer than a machine runs

  MemberReader(const json::object& object, std::string& error, std::string path = {})
      : object_(object), error_(error), path_(std::move(path)) {}

  template <class Number>
  void number(std::string_view name, Number& value, double least, double most) {
    const json::value* const found = object_.if_contains(view(name));
    if (found && !read(*found, value, least, most)) wrong(name);
  }
  void flag(std::string_view name, bool& value) {
    const json::value* const found = object_.if_contains(view(name));
    if (!found) return;
    found->is_bool() ? void(value = found->get_bool()) : wrong(name);
  }
  template <class Enum>
  void choice(std::string_view name, Enum& value, Enum last) {
    int number_of = static_cast<int>(value);
    number(name, number_of, 0, static_cast<int>(last));
    value = static_cast<Enum>(number_of);
  }
  template <class T>
  void presence(std::string_view name, std::optional<T>& value) {
    bool is_there = false;
    flag(name, is_there);
    value = is_there ? std::optional<T>(T{}) : std::nullopt;
  }
  void text(std::string_view name, std::string& value) {
    constexpr std::size_t kLongestText = 4096;
    const json::value* const found = object_.if_contains(view(name));
    if (!found) return;
    if (!found->is_string() || found->get_string().size() > kLongestText) return wrong(name);
    value.assign(found->get_string().data(), found->get_string().size());
  }
  void duration(std::string_view name, Duration& value) { nanoseconds(name, value, kLongest); }
  void age(std::string_view name, Duration& value) { nanoseconds(name, value, kOldest); }
  template <class Part, class Describe>
  void part(std::string_view name, Part& value, Describe describe) {
    const json::value* const found = object_.if_contains(view(name));
    if (!found) return;
    if (!found->is_object()) return wrong(name);
    MemberReader members(found->get_object(), error_, path_of(name));
    describe(members, value);
  }
  template <class List, class Describe>
  void list(std::string_view name, List& items, std::size_t most, Describe describe) {
    fill(name, items, most, [&](const json::value& from, auto& item) {
      if (!from.is_object()) return false;
      MemberReader members(from.get_object(), error_, path_of(name));
      describe(members, item);
      return true;
    });
  }
  template <class List>
  void numbers(std::string_view name, List& items, std::size_t most, double least, double highest) {
    fill(name, items, most, [&](const json::value& from, auto& item) { return read(from, item, least, highest); });
  }

 private:
  void nanoseconds(std::string_view name, Duration& value, double most_seconds) {
    std::int64_t count = value.count();
    number(name, count, 0, most_seconds * 1e9);
    value = Duration(count);
  }
  template <class Number>
  static bool read(const json::value& from, Number& value, double least, double most) {
    if (!from.is_number()) return false;
    const double number = from.to_number<double>();
    if (!std::isfinite(number) || number < least || number > most) return false;
    if constexpr (std::is_integral_v<Number>) {
      if (from.is_double()) return false;
    }
    value = static_cast<Number>(number);
    return true;
  }
  /// A list of a fixed size takes what it has room for: a later version may have more of its kind.
  template <class List, class ReadItem>
  void fill(std::string_view name, List& items, std::size_t most, ReadItem read_item) {
    const json::value* const found = object_.if_contains(view(name));
    if (!found) return;
    if (!found->is_array() || found->get_array().size() > most) return wrong(name);
    const json::array& array = found->get_array();
    if constexpr (requires { items.resize(array.size()); }) items.resize(array.size());
    std::size_t at = 0;
    for (auto& item : items) {
      if (at == array.size()) return;
      if (!read_item(array[at++], item)) return wrong(name);
    }
  }
  std::string path_of(std::string_view name) const { return path_ + (path_.empty() ? "" : ".") + std::string(name); }
  void wrong(std::string_view name) {
    if (error_.empty()) error_ = path_of(name) + " is not what it should be";
  }

  const json::object& object_;
  std::string& error_;
  std::string path_;
};

}  // namespace spillway::handover
