#include "proxy/text/take.hpp"

#include <vector>

#include <doctest/doctest.h>

namespace {

using text::take_until;

std::vector<std::string_view> parts(std::string_view text, char delimiter) {
  std::vector<std::string_view> found;
  while (!text.empty()) found.push_back(take_until(text, delimiter));
  return found;
}

using Parts = std::vector<std::string_view>;

TEST_CASE("a text is taken apart at its delimiters, which belong to no part") {
  CHECK(parts("a,bc,d", ',') == Parts{"a", "bc", "d"});
  CHECK(parts("whole", ',') == Parts{"whole"});
  CHECK(parts(",a,,", ',') == Parts{"", "a", ""});
  CHECK(parts("", ',').empty());
}

TEST_CASE("what is left of an empty text is empty") {
  std::string_view rest;
  CHECK(take_until(rest, ' ').empty());
  CHECK(rest.empty());
}

}  // namespace
