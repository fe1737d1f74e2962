#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "api/endpoints/field.hpp"

namespace api {

/// Reads the members of a JSON object, and names the path of each in its errors.
class JsonMembers {
 public:
  /// `prefix`: the path of the object, as in `user_profile.`. Object and errors must outlive this.
  JsonMembers(const boost::json::object& object, std::string prefix, FieldErrors& errors)
      : object_(object), prefix_(std::move(prefix)), errors_(errors) {}

  /// Null: the member is absent, which is an error if it is required. An optional member may be `null`.
  const boost::json::value* find(std::string_view name, bool required);
  /// A string that `fault_of_text` accepts.
  std::optional<std::string> text(std::string_view name, bool required,
                                  std::size_t max_characters = kMaxTextCharacters);
  void fault(std::string_view name, std::string message);

 private:
  const boost::json::object& object_;
  std::string prefix_;
  FieldErrors& errors_;
};

}  // namespace api
