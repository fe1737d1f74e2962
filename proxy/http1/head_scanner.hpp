#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/http/message.hpp"

namespace spillway::http {

/// Finds the end of a head as its bytes arrive, before they are parsed, and checks every byte.
/// Refuses what two parsers could read differently: bare CR, bare LF, NUL and other control bytes, obs-fold, a request
/// line that is not three parts with one space between each, a line that begins with white space, bytes >= 0x80 in a
/// request line, heads beyond their limits.
/// Skips at most `kLeadingEmptyLines` empty lines (CRLF) before a request line (RFC 9112, section 2.2).
///
/// Each call gets all bytes from the start of the head. The scanner continues where it stopped, so that the work is
/// linear. One for each direction; `reset()` between messages.
class HeadScanner {
 public:
  enum class Kind { request, response };
  static constexpr int kLeadingEmptyLines = 2;

  struct Result {
    bool complete = false;  ///< the empty line that ends the head has arrived
    std::size_t begin = 0;  ///< offset of the start line, behind skipped empty lines
    std::size_t end = 0;    ///< offset behind the empty line, when complete
    Violation violation;
  };

  explicit HeadScanner(Kind kind) : kind_(kind) {}
  Result scan(std::string_view bytes, const HeadLimits& limits);
  void reset();

 private:
  /// What the next byte belongs to. In the `_lf` phases a CR has come, and only LF may follow.
  enum class Phase : std::uint8_t { before, before_lf, method, target, version, line_start, line, line_lf, last_lf };

  Result refuse(int status, const char* rule) const;

  Kind kind_;
  Phase phase_ = Phase::before;
  int empty_lines_ = 0;    ///< before the start line
  std::size_t at_ = 0;     ///< next byte to scan
  std::size_t begin_ = 0;  ///< of the start line
  std::size_t part_ = 0;   ///< start of the current part of the request line
  int lines_ = 0;          ///< field lines so far
};

}  // namespace spillway::http
