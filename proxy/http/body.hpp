#pragma once

#include <cstdint>

#include "proxy/http/message.hpp"

namespace spillway::http {

/// Takes the framing off a body, in place, as it arrives. Chunk extensions (bounded) and trailers
/// (bounded, checked as fields) are dropped.
class BodyDecoder {
 public:
  /// `limit`: most payload bytes that are accepted (413 beyond), 0 for no limit.
  BodyDecoder(Framing framing, std::uint64_t content_length, std::uint64_t limit);
  BodyDecoder() : BodyDecoder(Framing::none, 0, 0) {}

  struct Step {
    std::size_t payload = 0;   ///< bytes of payload, moved to the front of the buffer
    std::size_t consumed = 0;  ///< bytes of the buffer that belonged to the body; what follows is surplus
    Violation violation;
  };
  /// Decodes `size` bytes at `data`. Consumes all of them unless the body ends before.
  Step decode(char* data, std::size_t size);

  bool done() const;
  /// Payload bytes still due when the framing tells (length), else 0.
  std::uint64_t remaining() const;
  /// Call at end of file: whether the body was complete (`until_close` always is).
  bool complete_at_eof() const;
};

}  // namespace spillway::http
