#include "proxy/text/utf8.hpp"

#include <string>

#include <doctest/doctest.h>

namespace {

TEST_CASE("a text is valid UTF-8 if it follows table 3-7 of Unicode") {
  struct Row {
    std::string text;
    bool valid;
  };
  const Row rows[] = {
      {"", true},
      {"plain", true},
      {"\xc2\x80", true},
      {"\xdf\xbf", true},
      {"\xe0\xa0\x80", true},
      {"\xed\x9f\xbf", true},
      {"\xf0\x90\x80\x80", true},
      {"\xf4\x8f\xbf\xbf", true},
      {"\x80", false},
      {"\xc1\x81", false},          // overlong
      {"\xe0\x9f\xbf", false},      // overlong
      {"\xf0\x8f\xbf\xbf", false},  // overlong
      {"\xed\xa0\x80", false},      // a surrogate
      {"\xf4\x90\x80\x80", false},  // above U+10FFFF
      {"\xf5\x80\x80\x80", false},  // no such lead byte
      {"\xc3", false},              // cut
      {"a\xe2\x82", false},         // cut
      {"\xe2\x28\xa1", false},      // no continuation
  };
  for (const Row& row : rows) {
    CAPTURE(row.text.size());
    CHECK(text::valid_utf8(row.text) == row.valid);
  }
}

TEST_CASE("a text is ASCII if no byte of it is above 0x7F") {
  CHECK(text::is_ascii(""));
  for (std::size_t size = 1; size < 20; ++size) {
    std::string text(size, '\x7f');
    CHECK(text::is_ascii(text));
    for (std::size_t i = 0; i < size; ++i) {
      text[i] = '\x80';
      CHECK_FALSE(text::is_ascii(text));
      text[i] = '\0';
    }
  }
}

}  // namespace
