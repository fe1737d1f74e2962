#include "proxy/text/request_id.hpp"

#include <string>

#include <doctest/doctest.h>

namespace {

TEST_CASE("an identifier from outside is valid only if it is safe in a log line and in a field") {
  struct Row {
    std::string id;
    bool valid;
  };
  const Row rows[] = {
      {"a", true},
      {"0af7651916cd43dd8448eb211c80319c", true},
      {"7c1f2e0a-93b5-4d2c-8a57-1b7f2f5d9a10", true},
      {"Root=1-67891233:abcdef/012+345._=-", true},
      {std::string(128, 'x'), true},
      {"", false},
      {std::string(129, 'x'), false},
      {"a b", false},
      {"a\tb", false},
      {"a\"b", false},
      {"a\\b", false},
      {"a\r\nSet-Cookie: x", false},
      {"a,b", false},
      {"a;b", false},
      {"{a}", false},
      {"<a>", false},
      {"\xc3\xa4", false},
      {std::string("a\0b", 3), false},
      {"a\x7f", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.id);
    CHECK(text::valid_request_id(row.id) == row.valid);
  }
}

TEST_CASE("an identifier is 128 bits as lower-case hex digits") {
  CHECK(text::view(text::request_id(0x0123456789abcdef, 0xfedcba9876543210)) == "0123456789abcdeffedcba9876543210");
}

}  // namespace
