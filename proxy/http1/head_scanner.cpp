#include "proxy/http1/head_scanner.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "proxy/http/grammar.hpp"

namespace spillway::http {

namespace {

constexpr std::uint64_t repeated(std::uint64_t byte) {
  return byte * 0x0101010101010101u;
}

/// The first control byte (below 0x20, or DEL) in [at, end), eight bytes a step
/// (S. E. Anderson, Bit Twiddling Hacks, "Determine if a word has a byte less than n").
const char* find_control(const char* at, const char* end) {
  if constexpr (std::endian::native == std::endian::little) {
    for (; end - at >= 8; at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, at, sizeof word);
      const std::uint64_t del = word ^ repeated(0x7f);
      const std::uint64_t low = (word - repeated(0x20)) & ~word;
      const std::uint64_t hits = (low | ((del - repeated(1)) & ~del)) & repeated(0x80);
      // A borrow may flag wrong bytes behind a hit, never before it: the first flag is right.
      if (hits != 0) return at + std::countr_zero(hits) / 8;
    }
  }
  while (at != end && static_cast<unsigned char>(*at) >= 0x20 && *at != 0x7f) ++at;
  return at;
}

}  // namespace

HeadScanner::Result HeadScanner::refuse(int status, const char* rule) const {
  const Violation violation{kind_ == Kind::request ? status : 502, rule};
  return {.complete = false, .begin = begin_, .end = 0, .violation = violation};
}

void HeadScanner::reset() {
  *this = HeadScanner(kind_);
}

HeadScanner::Result HeadScanner::scan(std::string_view bytes, const HeadLimits& limits) {
  const std::size_t end = std::min(bytes.size(), limits.head);
  std::size_t at = at_;  // a local stays in a register; after a violation nothing is scanned, so only the end stores it
  while (at < end) {
    const char c = bytes[at];
    switch (phase_) {
      case Phase::before:
        if (c == '\r' && kind_ == Kind::request) {
          if (++empty_lines_ > kLeadingEmptyLines) return refuse(400, "too many empty lines before the request line");
          phase_ = Phase::before_lf;
          ++at;
          break;
        }
        begin_ = at;
        part_ = at;
        phase_ = kind_ == Kind::request ? Phase::method : Phase::line;
        break;
      case Phase::method:
        while (at < end && is_octet(bytes[at], kToken)) ++at;
        if (at == end) break;
        if (bytes[at] != ' ' || at == part_) return refuse(400, "method is not a token followed by a space");
        part_ = ++at;
        phase_ = Phase::target;
        break;
      case Phase::target: {
        // Scan one byte more than allowed, so that the result does not depend on how the bytes arrive.
        const std::size_t stop = std::min(end, part_ + std::min(limits.uri, limits.head) + 1);
        while (at < stop && is_octet(bytes[at], kTargetChar)) ++at;
        if (at - part_ > limits.uri) return refuse(414, "request target too long");
        if (at == end) break;
        if (bytes[at] != ' ' || at == part_)
          return refuse(400, "request target empty or with a byte that none may hold");
        part_ = ++at;
        phase_ = Phase::version;
        break;
      }
      case Phase::version:
        while (at < end && is_octet(bytes[at], kVisible)) ++at;
        if (at == end) break;
        if (bytes[at] != '\r' || at == part_) return refuse(400, "request line is not three parts and CRLF");
        ++at;
        phase_ = Phase::line_lf;
        break;
      case Phase::line_start:
        if (c == ' ' || c == '\t') return refuse(400, "line starts with white space");
        if (c == '\r') {
          ++at;
          phase_ = Phase::last_lf;
          break;
        }
        if (++lines_ > limits.headers) return refuse(431, "too many fields");
        phase_ = Phase::line;
        break;
      case Phase::line:
        at = static_cast<std::size_t>(find_control(bytes.data() + at, bytes.data() + end) - bytes.data());
        if (at == end) break;
        if (bytes[at] == '\r') {
          phase_ = Phase::line_lf;
        } else if (bytes[at] != '\t') {
          return refuse(400, bytes[at] == '\n' ? "bare LF" : "control byte in a line");
        }
        ++at;
        break;
      case Phase::before_lf:
      case Phase::line_lf:
      case Phase::last_lf:
        if (c != '\n') return refuse(400, "bare CR");
        ++at;
        if (phase_ == Phase::last_lf) return {.complete = true, .begin = begin_, .end = at, .violation = {}};
        phase_ = phase_ == Phase::line_lf ? Phase::line_start : Phase::before;
        break;
    }
  }
  at_ = at;
  if (at >= limits.head) {
    if (phase_ == Phase::target) return refuse(414, "request target does not fit the head's limit");
    return refuse(431, "head too large");
  }
  return {.complete = false, .begin = begin_, .end = 0, .violation = {}};
}

}  // namespace spillway::http
