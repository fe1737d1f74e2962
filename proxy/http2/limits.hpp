#pragma once

#include <cstdint>

namespace spillway::http2 {

/// Limits on an HTTP/2 connection. The configuration fills them.
struct Limits {
  int streams = 100;      ///< requests at a time, those included that were reset and that the API has not answered
  int resets = 50;        ///< streams a second that are reset, mean of `AbuseMeter::kMean`
  int frames = 50;        ///< frames a second of each kind that carries nothing of a request, likewise
  int continuations = 8;  ///< CONTINUATION frames of one head
  /// Bytes that the requests of all connections hold, without bodies.
  std::uint64_t memory = 64 * 1024 * 1024;
};

}  // namespace spillway::http2
