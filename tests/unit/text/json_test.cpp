#include "proxy/text/json.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include <doctest/doctest.h>

namespace {

TEST_CASE("commas, numbers and escapes are set where JSON wants them") {
  std::string out;
  text::JsonWriter json(out);
  json.begin_object().member("a", 1).key("b").begin_array().value("x").value(true).begin_object().end_object();
  json.end_array().key("c").null().key("d").value(2.5, 2).member("e", std::int64_t{-9'000'000'000}).end_object();
  CHECK(out == R"({"a":1,"b":["x",true,{}],"c":null,"d":2.50,"e":-9000000000})");

  std::string text;
  text::append_json_escaped(text, std::string_view("a\"b\\c\nd\te\x01\x1f\0\u00e9/", 15));
  CHECK(text == "a\\\"b\\\\c\\nd\\te\\u0001\\u001f\\u0000\u00e9/");
}

TEST_CASE("an escape is found wherever it stands, beside all other bytes") {
  const std::string special = std::string("\"\\\n\x1f\x7f") + '\0';
  for (std::size_t length = 1; length < 40; ++length) {
    for (std::size_t at = 0; at < length; ++at) {
      for (char c : special) {
        std::string text(length, '\xC3');
        for (std::size_t i = 0; i < length; ++i) text[i] = static_cast<char>(0x20 + (i * 37 + length) % 0xE0);
        std::replace_if(
            text.begin(), text.end(), [](char b) { return b == '"' || b == '\\' || b == 0x7F; }, 'x');
        std::string plain;
        text::append_json_escaped(plain, text);
        REQUIRE(plain == text);
        text[at] = c;
        std::string escaped;
        text::append_json_escaped(escaped, text);
        std::string expected = text.substr(0, at) +
                               (c == '"'    ? "\\\""
                                : c == '\\' ? "\\\\"
                                : c == '\n' ? "\\n"
                                : c == 0    ? "\\u0000"
                                : c == 0x7F ? "\\u007f"
                                            : "\\u001f") +
                               text.substr(at + 1);
        REQUIRE(escaped == expected);
      }
    }
  }
}

TEST_CASE("hundredths are written with two digits") {
  for (auto [number, text] : {std::pair{0, "0.00"},
                              {5, "0.05"},
                              {50, "0.50"},
                              {350, "3.50"},
                              {399, "3.99"},
                              {-5, "-0.05"},
                              {-150, "-1.50"},
                              {std::numeric_limits<int>::min(), "-21474836.48"}}) {
    std::string out;
    text::JsonWriter(out).hundredths(number);
    CHECK(out == text);
  }
}

TEST_CASE("a quoted text is a JSON string, and a YAML scalar as well") {
  CHECK(text::json_quoted("a\"\x7f") == R"("a\"\u007f")");
}

}  // namespace
