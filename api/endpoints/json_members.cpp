#include "api/endpoints/json_members.hpp"

#include <utility>

#include <boost/json/value.hpp>

namespace api {

const boost::json::value* JsonMembers::find(std::string_view name, bool required) {
  const boost::json::value* value = object_.if_contains(name);
  if (value && value->is_null() && !required) return nullptr;
  if (!value && required) fault(name, "is required");
  return value;
}

std::optional<std::string> JsonMembers::text(std::string_view name, bool required, std::size_t max_characters) {
  const boost::json::value* value = find(name, required);
  if (!value) return std::nullopt;
  const boost::json::string* text = value->if_string();
  if (!text) {
    fault(name, "must be a string");
    return std::nullopt;
  }
  if (auto wrong = fault_of_text(*text, max_characters); !wrong.empty()) {
    fault(name, std::move(wrong));
    return std::nullopt;
  }
  return std::string(*text);
}

void JsonMembers::fault(std::string_view name, std::string message) {
  add(errors_, prefix_ + std::string(name), std::move(message));
}

}  // namespace api
