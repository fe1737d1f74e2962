#include "proxy/text/octets.hpp"

#include <algorithm>
#include <string>

#include <doctest/doctest.h>

namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

std::string lowered(std::string all) {
  std::transform(all.begin(), all.end(), all.begin(), lower);
  return all;
}

/// Every octet at every place of texts of up to 20, between `x` and `Q`.
template <class Check>
void for_each_text(Check check) {
  for (std::size_t size = 1; size <= 20; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (int octet = 0; octet < 256; ++octet) {
        std::string all(size, size % 2 != 0 ? 'x' : 'Q');
        all[at] = static_cast<char>(octet);
        check(all, at);
      }
    }
  }
}

TEST_CASE("ASCII letters become lower case, and no other octet changes") {
  std::size_t wrong = 0;
  for_each_text([&](std::string all, std::size_t) {
    const std::string expected = lowered(all);
    std::string copy(1 + all.size() + text::kBehindCopy + 1, 'A');
    const char* const end = text::copy_lower(all, copy.data() + 1);
    const bool in_place = copy.front() == 'A' && copy.back() == 'A' && end == copy.data() + 1 + all.size();
    if (!in_place || copy.substr(1, all.size()) != expected) ++wrong;
  });
  CHECK(wrong == 0);
}

TEST_CASE("texts are equal without regard to the case of ASCII letters alone") {
  std::size_t wrong = 0;
  for_each_text([&](const std::string& all, std::size_t at) {
    if (!text::equals_lower(all, lowered(all))) ++wrong;
    std::string other = lowered(all);
    other[at] = static_cast<char>(other[at] ^ 0x20);
    if (text::equals_lower(all, other) != (lowered(all) == other)) ++wrong;
    other[at] = static_cast<char>(lowered(all)[at] ^ 0x80);
    if (text::equals_lower(all, other)) ++wrong;
  });
  CHECK(wrong == 0);
  CHECK(text::equals_lower("", ""));
  CHECK_FALSE(text::equals_lower("a", ""));
  CHECK_FALSE(text::equals_lower("host", "hosts"));
}

TEST_CASE("control bytes are found wherever they stand, and a tab is none") {
  std::size_t wrong = 0;
  for_each_text([&](const std::string& all, std::size_t at) {
    const int octet = static_cast<unsigned char>(all[at]);
    const bool expected = (octet < 0x20 && octet != '\t') || octet == 0x7f;
    if (text::has_control(all) != expected) ++wrong;
    std::string tabs = all;
    std::replace(tabs.begin(), tabs.end(), 'x', '\t');
    if (text::has_control(tabs) != expected) ++wrong;
  });
  CHECK(wrong == 0);
  CHECK_FALSE(text::has_control(""));
}

}  // namespace
