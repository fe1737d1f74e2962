#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http/message.hpp"
#include "proxy/http1/writer.hpp"

/// Tables of HTTP messages and what the proxy does with them. Each row runs uncut, cut at every byte, and one byte at a
/// time; the verdict must always be the same. An accepted message is written anew; the result must fit a strict grammar
/// and parse to the same message.
namespace spillway::http::rows {

/// Verdicts besides statuses.
inline constexpr int kSound = 0;
inline constexpr int kUnfinished = -1;  ///< the scanner needs more bytes

struct Row {
  std::string rule;        ///< what the row shows, with the section of the RFC
  std::string bytes;       ///< the head of the message, sometimes with more bytes behind it
  int verdict = kSound;    ///< status of the violation, or one of the above
  std::string has = {};    ///< expected in the written head or in the facts behind it
  std::string lacks = {};  ///< not expected there, in upper or lower case
  HeadLimits limits = {};
  bool to_head = false;  ///< responses: the request was a HEAD
};

/// Lines, each with its CRLF, and the empty line that ends a head.
template <class... Line>
std::string lines(const Line&... line) {
  return (std::string() + ... + (std::string(line) + "\r\n")) + "\r\n";
}
/// A plain request or response with these additional lines.
template <class... Line>
std::string get(const Line&... line) {
  return lines("GET / HTTP/1.1", "Host: a", line...);
}
template <class... Line>
std::string post(const Line&... line) {
  return lines("POST / HTTP/1.1", "Host: a", line...);
}
template <class... Line>
std::string ok(const Line&... line) {
  return lines("HTTP/1.1 200 OK", line...);
}
std::string lower(std::string text);
/// `text`, `count` times.
std::string times(std::size_t count, std::string_view text);

void run_requests(const std::vector<Row>& table);
void run_responses(const std::vector<Row>& table);

/// What the proxy tells about the client when rows are written.
const Forwarding& plain_forwarding();

/// Scans, parses and writes one uncut head. Returns the verdict and the written head.
struct Outcome {
  int verdict = kUnfinished;
  std::string rule;
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string written;  ///< the new head, and behind it the facts that were read: `path=/; query=; …`
  friend bool operator==(const Outcome&, const Outcome&) = default;
};
inline constexpr std::string_view kFacts = "facts: ";  ///< start of the facts in `Outcome::written`
Outcome request_outcome(std::string_view bytes, const Forwarding& forwarding = plain_forwarding());

}  // namespace spillway::http::rows
