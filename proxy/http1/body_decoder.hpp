#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "proxy/http/message.hpp"
#include "proxy/http/trailer.hpp"

namespace spillway::http {

/// Removes the framing of a body in place, as the body arrives. Chunk extensions and trailers are checked, limited and
/// dropped (RFC 9112, section 7.1).
/// The result does not depend on how the bytes are split. Do not decode after a violation.
class BodyDecoder {
 public:
  static constexpr int kSizeDigitsMax = 16;              ///< 64 bits
  static constexpr std::size_t kExtensionLineMax = 256;  ///< bytes of all extensions of one chunk but the first
  static constexpr std::size_t kExtensionsFree =
      4096;  ///< bytes of all extensions together, in addition to one for each payload byte
  static constexpr std::size_t kTrailersMax = 4096;  ///< bytes of all trailer lines

  /// `limit`: longest payload in bytes (413 beyond); 0: no limit.
  BodyDecoder(Framing framing, std::uint64_t content_length, std::uint64_t limit);
  BodyDecoder() : BodyDecoder(Framing::none, 0, 0) {}

  struct Step {
    std::size_t payload = 0;   ///< bytes of payload, moved to the front of the buffer
    std::size_t consumed = 0;  ///< bytes of the buffer that belong to the body; what follows is not part of it
    Violation violation;
  };
  /// Decodes `size` bytes at `data`. Consumes all of them unless the body ends earlier.
  Step decode(char* data, std::size_t size);

  /// Counts bytes of a body with a Content-Length that have gone another way: fewer than `remaining`.
  void pass_over(std::uint64_t size) {
    left_ -= size;
    received_ += size;
  }

  bool done() const { return state_ == State::done; }
  /// Payload bytes still to come of a body with a Content-Length, else 0.
  std::uint64_t remaining() const { return state_ == State::length ? left_ : 0; }
  /// Call at end of file: whether the body was complete (`until_close` always is).
  bool complete_at_eof() const { return done() || state_ == State::until_close; }

 private:
  /// What the next byte belongs to. In the `_lf` states a CR has come, and only LF may follow.
  enum class State : std::uint8_t {
    length,
    until_close,
    size,
    extension_start,  ///< behind a semicolon: white space, then a name
    extension_name,
    extension_name_end,     ///< white space behind a name: an equals sign or a semicolon follows
    extension_value_start,  ///< behind the equals sign: white space, then a token or a quote
    extension_value,
    extension_quoted,
    extension_escaped,     ///< behind a backslash between quotes
    extension_quoted_end,  ///< behind the second quote
    extension_end,         ///< white space that only a semicolon may follow
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer_start,
    trailer_name,
    trailer_value,
    trailer_lf,
    last_lf,
    done
  };

  const char* size_byte(char c);
  const char* extension_byte(char c);
  const char* extension_ends(char c, const char* otherwise);
  const char* trailer_byte(char c);
  Violation framing_byte(char c);

  State state_;
  std::uint8_t digits_ = 0;     ///< of the current chunk size
  std::uint16_t line_ = 0;      ///< bytes of the current extensions, or of the current trailer name
  std::uint64_t left_ = 0;      ///< of the body (length) or of the chunk (data)
  std::uint64_t received_ = 0;  ///< payload bytes
  std::uint64_t limit_;
  std::uint64_t extensions_ = 0;                  ///< bytes of all extensions together
  std::size_t trailers_ = 0;                      ///< bytes of all trailer lines together
  std::array<char, kTrailerFaultMax> trailer_{};  ///< start of the current trailer name
};

}  // namespace spillway::http
