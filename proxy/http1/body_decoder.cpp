#include "proxy/http1/body_decoder.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "proxy/http/grammar.hpp"
#include "proxy/text/hex.hpp"

namespace spillway::http {

namespace {

constexpr Violation kTooLarge{413, "body larger than the limit"};

/// Whether a field value or a quoted string may hold a byte: no control byte but HTAB (RFC 9110, section 5.5).
bool is_text(char c) {
  return is_blank(c) || is_octet(c, kVisible) || static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

BodyDecoder::BodyDecoder(Framing framing, std::uint64_t content_length, std::uint64_t limit)
    : left_(content_length), limit_(limit == 0 ? std::numeric_limits<std::uint64_t>::max() : limit) {
  switch (framing) {
    case Framing::none:
      state_ = State::done;
      break;
    case Framing::length:
      state_ = content_length == 0 ? State::done : State::length;
      break;
    case Framing::chunked:
      state_ = State::size;
      left_ = 0;
      break;
    case Framing::until_close:
      state_ = State::until_close;
      break;
  }
}

BodyDecoder::Step BodyDecoder::decode(char* data, std::size_t size) {
  Step step;
  if (state_ == State::length && left_ > limit_) return {.violation = kTooLarge};
  while (step.consumed < size && state_ != State::done) {
    const bool counted = state_ == State::length || state_ == State::data;
    if (!counted && state_ != State::until_close) {
      step.violation = framing_byte(data[step.consumed]);
      if (step.violation) return step;
      ++step.consumed;
      continue;
    }
    std::uint64_t due = limit_ - received_;
    if (counted) due = std::min(due, left_);
    const std::size_t take = static_cast<std::size_t>(std::min<std::uint64_t>(due, size - step.consumed));
    if (step.payload != step.consumed) std::memmove(data + step.payload, data + step.consumed, take);
    step.payload += take;
    step.consumed += take;
    received_ += take;
    if (counted) {
      left_ -= take;
      if (left_ == 0) state_ = state_ == State::length ? State::done : State::data_cr;
    } else if (step.consumed < size) {
      step.violation = kTooLarge;
      return step;
    }
  }
  return step;
}

Violation BodyDecoder::framing_byte(char c) {
  const char* rule = nullptr;
  switch (state_) {
    case State::size:
      rule = size_byte(c);
      break;
    case State::extension_start:
    case State::extension_name:
    case State::extension_name_end:
    case State::extension_value_start:
    case State::extension_value:
    case State::extension_quoted:
    case State::extension_escaped:
    case State::extension_quoted_end:
    case State::extension_end:
      rule = extension_byte(c);
      break;
    case State::size_lf:
      if (c != '\n') return {400, "chunk size line without CRLF"};
      if (left_ > limit_ - received_) return kTooLarge;
      state_ = left_ == 0 ? State::trailer_start : State::data;
      return {};
    case State::data_cr:
      if (c != '\r') return {400, "chunk longer than its size"};
      state_ = State::data_lf;
      return {};
    case State::data_lf:
      if (c != '\n') return {400, "chunk without CRLF"};
      digits_ = 0;
      state_ = State::size;
      return {};
    default:
      rule = trailer_byte(c);
      break;
  }
  return rule == nullptr ? Violation{} : Violation{400, rule};
}

const char* BodyDecoder::size_byte(char c) {
  if (const int digit = text::hex_value(c); digit >= 0) {
    if (++digits_ > kSizeDigitsMax) return "chunk size with too many digits";
    left_ = left_ << 4 | static_cast<std::uint64_t>(digit);
    return nullptr;
  }
  if (digits_ == 0) return "chunk size missing";
  line_ = 0;
  return extension_ends(c, "byte behind a chunk size that is neither CR nor an extension");
}

/// A byte behind a chunk size or a complete extension: the line ends, or white space and another extension follow.
const char* BodyDecoder::extension_ends(char c, const char* otherwise) {
  if (c == '\r') {
    state_ = State::size_lf;
  } else if (c == ';') {
    state_ = State::extension_start;
  } else if (is_blank(c)) {
    state_ = State::extension_end;
  } else {
    return otherwise;
  }
  return nullptr;
}

/// *( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] ), RFC 9112, section 7.1.1.
const char* BodyDecoder::extension_byte(char c) {
  if (c != '\r' && (++line_ > kExtensionLineMax || ++extensions_ > kExtensionsFree + received_)) {
    return "chunk extensions too long";
  }
  switch (state_) {
    case State::extension_start:
      if (is_blank(c)) return nullptr;
      if (!is_octet(c, kToken)) return "chunk extension without a name";
      state_ = State::extension_name;
      return nullptr;
    case State::extension_name:
      if (is_octet(c, kToken)) return nullptr;
      if (c == '=') {
        state_ = State::extension_value_start;
        return nullptr;
      }
      if (!is_blank(c)) return extension_ends(c, "name of a chunk extension is not a token");
      state_ = State::extension_name_end;
      return nullptr;
    case State::extension_name_end:
      if (is_blank(c)) return nullptr;
      if (c != '=' && c != ';') return "white space behind a chunk extension";
      state_ = c == '=' ? State::extension_value_start : State::extension_start;
      return nullptr;
    case State::extension_value_start:
      if (is_blank(c)) return nullptr;
      if (c != '"' && !is_octet(c, kToken)) return "chunk extension without the value that it announces";
      state_ = c == '"' ? State::extension_quoted : State::extension_value;
      return nullptr;
    case State::extension_value:
      return is_octet(c, kToken) ? nullptr : extension_ends(c, "value of a chunk extension is not a token");
    case State::extension_quoted:
    case State::extension_escaped:
      if (!is_text(c)) return "control byte in a quoted chunk extension";
      if (state_ == State::extension_escaped) {
        state_ = State::extension_quoted;
      } else if (c == '"') {
        state_ = State::extension_quoted_end;
      } else if (c == '\\') {
        state_ = State::extension_escaped;
      }
      return nullptr;
    case State::extension_quoted_end:
      return extension_ends(c, "byte behind a quoted chunk extension");
    default:  // extension_end
      if (is_blank(c)) return nullptr;
      if (c != ';') return "white space behind a chunk size or extension";
      state_ = State::extension_start;
      return nullptr;
  }
}

const char* BodyDecoder::trailer_byte(char c) {
  if (++trailers_ > kTrailersMax) return "trailers too long";
  switch (state_) {
    case State::trailer_start:
      line_ = 0;
      if (c == '\r') {
        state_ = State::last_lf;
        return nullptr;
      }
      state_ = State::trailer_name;
      [[fallthrough]];
    case State::trailer_name:
      if (c == ':') {
        if (line_ == 0) return "trailer without a name";
        state_ = State::trailer_value;
        return line_ <= trailer_.size() ? trailer_fault({trailer_.data(), line_}) : nullptr;
      }
      if (!is_octet(c, kToken)) return "trailer name is not a token";
      if (line_ < trailer_.size()) trailer_[line_] = c;
      ++line_;
      return nullptr;
    case State::trailer_value:
      if (c == '\r') {
        state_ = State::trailer_lf;
      } else if (!is_text(c)) {
        return "control byte in a trailer";
      }
      return nullptr;
    case State::trailer_lf:
      if (c != '\n') return "bare CR in a trailer";
      state_ = State::trailer_start;
      return nullptr;
    default:  // last_lf
      if (c != '\n') return "bare CR behind the last chunk";
      state_ = State::done;
      return nullptr;
  }
}

}  // namespace spillway::http
