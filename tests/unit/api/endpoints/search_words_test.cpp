// Which minus signs of a search exclude a word, and which mean nothing.

#include "api/endpoints/search_words.hpp"

#include <string>

#include <doctest/doctest.h>

namespace api {
namespace {

TEST_CASE("A minus directly before a word or quotes stays") {
  for (const char* words : {"-law", "law -tax", "law -\"income tax\"", "law or -tax", "\"a b\"-tax", "law|-tax",
                            "(-tax)", "-.5", "-\u00e9t\u00e9", "-a -b -c", "full-time", "a--b", "x- y", "-full-time",
                            "c -:x", "\"- - -\"", "law\u3000-tax"}) {
    CAPTURE(words);
    CHECK(without_dashes(words) == words);
  }
}

TEST_CASE("A minus that stands alone, or beside another one, is a dash") {
  struct {
    const char* words;
    const char* without;
  } const cases[] = {
      {"-", " "},
      {"---", "   "},
      {"law - tax", "law   tax"},
      {"law -- tax", "law    tax"},
      {"--law", "  law"},
      {"---law", "   law"},
      {"law -", "law  "},
      {"- -law", "  -law"},
      {"-|-&-!-(-)", " | & ! ( )"},
      {"-!law", " !law"},
      {"\"a b\" - c", "\"a b\"   c"},
      {"\"a -- \" -- b", "\"a -- \"    b"},
      {"-\"-", "-\" "},
      {"open \" - - b", "open \"     b"},
      {"-\u3000-\u3000-\u2003-\u00a0x", " \u3000 \u3000 \u2003 \u00a0x"},
  };
  for (const auto& [words, without] : cases) {
    CAPTURE(words);
    CHECK(without_dashes(words) == without);
  }
}

}  // namespace
}  // namespace api
