#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http/message.hpp"
#include "proxy/http1/writer.hpp"

/// Tables of HTTP messages and what the proxy makes of them. A row is run whole, split at every byte, and one byte
/// at a time, always with the same verdict. What is accepted is written anew, must fit a strict grammar, and must
/// parse again to the same message.
namespace spillway::http::rows {

/// Verdicts that are no status.
inline constexpr int kSound = 0;
inline constexpr int kUnfinished = -1;  ///< the gate waits for more bytes

struct Row {
  std::string rule;        ///< what the row shows, with the section that says so
  std::string bytes;       ///< the message's head, perhaps with surplus behind it
  int verdict = kSound;    ///< status of the violation, or one of the above
  std::string has = {};    ///< stands in what is written anew, or in the facts behind it
  std::string lacks = {};  ///< does not, in any case of letters
  HeadLimits limits = {};
  bool to_head = false;  ///< responses: the request was a HEAD
};

/// Lines, each with its CRLF, and the empty line that ends a head.
template <class... Line>
std::string lines(const Line&... line) {
  return (std::string() + ... + (std::string(line) + "\r\n")) + "\r\n";
}
/// A plain request, or response, with further lines.
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

/// What the proxy says of itself when rows are written anew.
const Forwarding& plain_forwarding();

/// Gate, parse and serialisation of one head that comes in one piece; the verdict and what was written.
struct Outcome {
  int verdict = kUnfinished;
  std::string rule;
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string written;  ///< the head anew, and behind it the facts read from it: `path=/; query=; …`
  friend bool operator==(const Outcome&, const Outcome&) = default;
};
inline constexpr std::string_view kFacts = "facts: ";  ///< begin of the facts in `Outcome::written`
Outcome request_outcome(std::string_view bytes, const Forwarding& forwarding = plain_forwarding());

}  // namespace spillway::http::rows
