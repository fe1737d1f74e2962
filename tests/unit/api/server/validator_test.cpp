// Entity tags and If-None-Match.

#include "api/server/validator.hpp"

#include <set>

#include <doctest/doctest.h>

namespace api {
namespace {

TEST_CASE("A tag is a quoted string that depends on every byte of the body") {
  const std::string tag = entity_tag("{\"id\":1}");
  CHECK(tag.size() == 13);
  CHECK(tag.front() == '"');
  CHECK(tag.back() == '"');
  CHECK(tag == entity_tag("{\"id\":1}"));
  std::set<std::string> tags;
  std::string body(100, 'x');
  for (std::size_t i = 0; i < body.size(); ++i) {
    body[i] = 'y';
    tags.insert(entity_tag(body));
    body[i] = 'x';
  }
  for (std::size_t i = 0; i < body.size(); ++i) tags.insert(entity_tag(body.substr(i)));
  CHECK(tags.size() == 200);
  for (std::size_t zeros = 0; zeros < 20; ++zeros) tags.insert(entity_tag(std::string(zeros, '\0')));
  CHECK(tags.size() == 220);
  // Two words exchanged.
  CHECK(entity_tag("aaaaaaaabbbbbbbb") != entity_tag("bbbbbbbbaaaaaaaa"));
}

TEST_CASE("If-None-Match is a star, or a list of tags, weak or not") {
  struct {
    const char* field;
    bool lists;
  } const cases[] = {
      {"*", true},
      {" * ", true},
      {"\"a\"", true},
      {"W/\"a\"", true},
      {"\"b\", \"a\"", true},
      {"\"b\",W/\"a\" ", true},
      {", ,\"a\"", true},
      {"\"b,\", \"a\"", true},
      {"", false},
      {"a", false},
      {"\"A\"", false},
      {"\"a", false},
      {"\"b\" x \"a\"", false},
      {"w/\"a\"", false},
      {"*, \"a\"", false},
      {"\"\"", false},
  };
  for (const auto& [field, lists] : cases) {
    CAPTURE(field);
    CHECK(none_match_lists(field, "\"a\"") == lists);
  }
}

}  // namespace
}  // namespace api
