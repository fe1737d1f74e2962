#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/http/message.hpp"

namespace spillway::http {

/// Looks at the bytes of a head as they arrive, before any parser does, and finds its end.
/// Refuses what two parsers could read differently: bare CR, bare LF, NUL and other control bytes,
/// obs-fold, a start line that is not three parts with one space between each (request), a line of
/// white space, bytes >= 0x80 in a request line, heads beyond their limits.
/// Empty lines (CRLF) before a request line are skipped (RFC 9112, section 2.2), at most `kLeadingEmptyLines`.
///
/// Bytes are given from the start of the head, each time with more behind; the gate goes on
/// where it stopped, so the work is linear. One per message direction; `reset()` between messages.
class HeadScanner {
 public:
  enum class Kind { request, response };
  static constexpr int kLeadingEmptyLines = 2;

  struct Result {
    bool complete = false;  ///< the head's last CRLF has been seen
    std::size_t begin = 0;  ///< offset of the start line (behind skipped empty lines)
    std::size_t end = 0;    ///< offset behind the head's empty line, when complete
    Violation violation;
  };

  explicit HeadScanner(Kind kind) : kind_(kind) {}
  Result scan(std::string_view bytes, const HeadLimits& limits);
  void reset();

 private:
  /// What the next byte belongs to; `_lf` phases have seen a CR.
  enum class Phase : std::uint8_t { before, before_lf, method, target, version, line_start, line, line_lf, last_lf };

  Result refuse(int status, const char* rule) const;

  Kind kind_;
  Phase phase_ = Phase::before;
  int empty_lines_ = 0;    ///< before the start line
  std::size_t at_ = 0;     ///< next byte to look at
  std::size_t begin_ = 0;  ///< of the start line
  std::size_t part_ = 0;   ///< begin of the current part of the request line
  int lines_ = 0;          ///< field lines begun
};

}  // namespace spillway::http
