#include "api/endpoints/search_words.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace api {

namespace {

/// Bytes of the white space at the start of `text`: White_Space of Unicode (PropList.txt), without the control
/// characters below U+0020, which no field may hold; 0: there is none. What PostgreSQL takes for white space depends on
/// the database: iswspace() of its LC_CTYPE, which is these without U+0085 and the no-break spaces in glibc's. A space
/// too many here is harmless: a dash beside it means nothing in either case.
std::size_t space_length(std::string_view text) {
  constexpr std::string_view kSpaces[] = {" ",
                                          "\u0085",
                                          "\u00a0",
                                          "\u1680",
                                          "\xe2\x80\x80",
                                          "\xe2\x80\x81",
                                          "\xe2\x80\x82",
                                          "\xe2\x80\x83",
                                          "\xe2\x80\x84",
                                          "\xe2\x80\x85",
                                          "\xe2\x80\x86",
                                          "\xe2\x80\x87",
                                          "\xe2\x80\x88",
                                          "\xe2\x80\x89",
                                          "\xe2\x80\x8a",
                                          "\u2028",
                                          "\u2029",
                                          "\u202f",
                                          "\u205f",
                                          "\u3000"};
  for (const std::string_view space : kSpaces) {
    if (text.starts_with(space)) return space.size();
  }
  return 0;
}

/// What websearch_to_tsquery takes for operators of another syntax, and skips.
bool is_operator(char c) {
  return std::string_view("!&|()").find(c) != std::string_view::npos;
}

/// A word or quoted words begin here.
bool begins_operand(std::string_view text) {
  return !text.empty() && text.front() != '-' && !is_operator(text.front()) && space_length(text) == 0;
}

}  // namespace

std::string without_dashes(std::string words) {
  bool in_word = false, after_minus = false;
  for (std::size_t at = 0; at < words.size();) {
    const std::string_view rest = std::string_view(words).substr(at);
    std::size_t length = 1;
    bool minus = false;
    if (const std::size_t space = space_length(rest)) {
      length = space;
      in_word = false;
    } else if (is_operator(rest.front())) {
      in_word = false;
    } else if (rest.front() == '"') {
      // A quote that nothing ends is skipped alone: old versions of PostgreSQL read operators behind it.
      const std::size_t end = rest.find('"', 1);
      if (end != std::string_view::npos) length = end + 1;
      in_word = false;
    } else if (rest.front() == '-' && !in_word) {
      minus = true;
      if (after_minus || !begins_operand(rest.substr(1))) words[at] = ' ';
    } else {
      in_word = true;
    }
    after_minus = minus;
    at += length;
  }
  return words;
}

}  // namespace api
