#include "api/endpoints/repeated_member.hpp"

#include <cstdint>
#include <set>
#include <vector>

#include <boost/json/basic_parser_impl.hpp>

namespace api {

namespace {

namespace json = boost::json;
using Error = boost::system::error_code;

/// What Boost.JSON calls for each part of the text. Only the names of members matter.
struct Names {
  static constexpr std::size_t max_object_size = SIZE_MAX;
  static constexpr std::size_t max_array_size = SIZE_MAX;
  static constexpr std::size_t max_key_size = SIZE_MAX;
  static constexpr std::size_t max_string_size = SIZE_MAX;

  struct Object {
    std::set<std::string> names;
    std::string latest;
  };

  bool on_object_begin(Error&) { return objects.emplace_back(), true; }
  bool on_object_end(std::size_t, Error&) { return objects.pop_back(), true; }
  bool on_key_part(json::string_view part, std::size_t, Error&) { return name.append(part), true; }
  bool on_key(json::string_view part, std::size_t, Error& error) {
    Object& object = objects.back();
    object.latest = name.append(part);
    name.clear();
    if (object.names.insert(object.latest).second) return true;
    error = json::error::exception;  // any: it ends the parsing
    return false;
  }

  bool on_document_begin(Error&) { return true; }
  bool on_document_end(Error&) { return true; }
  bool on_array_begin(Error&) { return true; }
  bool on_array_end(std::size_t, Error&) { return true; }
  bool on_string_part(json::string_view, std::size_t, Error&) { return true; }
  bool on_string(json::string_view, std::size_t, Error&) { return true; }
  bool on_number_part(json::string_view, Error&) { return true; }
  bool on_int64(std::int64_t, json::string_view, Error&) { return true; }
  bool on_uint64(std::uint64_t, json::string_view, Error&) { return true; }
  bool on_double(double, json::string_view, Error&) { return true; }
  bool on_bool(bool, Error&) { return true; }
  bool on_null(Error&) { return true; }
  bool on_comment_part(json::string_view, Error&) { return true; }
  bool on_comment(json::string_view, Error&) { return true; }

  std::vector<Object> objects = {};  ///< that are open
  std::string name = {};             ///< as far as it has come
};

}  // namespace

std::optional<std::string> repeated_member(std::string_view text) {
  json::basic_parser<Names> parser{json::parse_options()};
  Error error;
  parser.write_some(false, text.data(), text.size(), error);
  if (!error) return std::nullopt;
  std::string path;
  for (const Names::Object& object : parser.handler().objects) path += (path.empty() ? "" : ".") + object.latest;
  return path;
}

}  // namespace api
