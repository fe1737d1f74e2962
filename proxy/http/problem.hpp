#pragma once

#include <string>
#include <string_view>

namespace spillway::http {

/// An error told in JSON (RFC 9457), with two members of its own: `reason` and `request_id`.
struct Problem {
  int status = 0;
  std::string_view title;
  std::string_view detail;  ///< any text; the others are words and identifiers, which need no escape
  std::string_view reason;
  std::string_view request_id;
};

/// Appends the document, `application/problem+json`, with a line feed at its end.
void write_problem(const Problem& problem, std::string& out);

}  // namespace spillway::http
