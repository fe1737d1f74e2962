#include "proxy/http/forwarded_field.hpp"

#include <algorithm>

#include "proxy/http/grammar.hpp"
#include "proxy/http/message.hpp"

namespace spillway::http {

bool ForwardedReader::next(ForwardedElement& element) {
  element = {};
  while (!malformed_) {
    skip_space();
    if (rest_.empty()) return false;
    if (rest_.front() != ',') break;
    rest_.remove_prefix(1);  // an empty element, which lists may have
  }
  while (!malformed_ && pair(element)) {
    skip_space();
    if (rest_.empty() || rest_.front() == ',') return true;
    if (rest_.front() != ';') return fail();
    rest_.remove_prefix(1);
    skip_space();
  }
  return false;
}

/// name=value
bool ForwardedReader::pair(ForwardedElement& element) {
  const std::size_t equals = rest_.find('=');
  if (equals == std::string_view::npos || !is_token(rest_.substr(0, equals))) return fail();
  const std::string_view name = rest_.substr(0, equals);
  rest_.remove_prefix(equals + 1);
  std::string_view text;
  if (!value(text)) return fail();
  std::string_view* const known = equals_lower(name, "for")     ? &element.node
                                  : equals_lower(name, "proto") ? &element.proto
                                  : equals_lower(name, "host")  ? &element.host
                                                                : nullptr;
  if (!known) return true;
  if (!known->empty()) return fail();  // once in an element
  *known = text;
  return true;
}

/// A token or a quoted text. One with an escape is none of those that matter, and is read as empty.
bool ForwardedReader::value(std::string_view& value) {
  if (rest_.empty() || rest_.front() != '"') {
    const auto* const end =
        std::find_if(rest_.begin(), rest_.end(), [](char c) { return c == ';' || c == ',' || c == ' ' || c == '\t'; });
    value = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
    rest_.remove_prefix(value.size());
    // Proxies are seen to leave out the quotes around addresses with colons and brackets.
    return !value.empty() && value.find_first_of("\"=") == std::string_view::npos;
  }
  for (std::size_t i = 1; i < rest_.size(); ++i) {
    if (rest_[i] == '\\') {
      ++i;
    } else if (rest_[i] == '"') {
      value = rest_.substr(1, i - 1);
      if (value.find('\\') != std::string_view::npos) value = {};
      rest_.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

void ForwardedReader::skip_space() {
  rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t"), rest_.size()));
}

bool ForwardedReader::fail() {
  malformed_ = true;
  return false;
}

}  // namespace spillway::http
