#pragma once

#include <cstddef>
#include <string>
#include <string_view>

/// What goes over the hand-over socket: frames, each a line `KIND LENGTH` and so many bytes. This form is the same in
/// all versions; a receiver skips frames of a kind that it does not know. Pure.
namespace spillway::handover {

struct Frame {
  std::string kind;  ///< 1 to `kKindMax` lower-case letters and `_`
  std::string payload;
};

inline constexpr std::size_t kKindMax = 32;
/// Largest payload: 15 minutes of history of 32 classes take 2 MiB.
inline constexpr std::size_t kPayloadMax = 16 * 1024 * 1024;

std::string encode(const Frame& frame);

/// Takes frames apart that come in pieces. After an error it takes no more.
class FrameReader {
 public:
  enum class State { more, frame, malformed };

  void add(std::string_view bytes) { buffer_ += bytes; }
  /// The next whole frame, if there is one. `malformed`: a line is none, or a frame is too large.
  State next(Frame& frame);

 private:
  std::string buffer_;
  std::size_t at_ = 0;  ///< of the first byte that is not taken
};

}  // namespace spillway::handover
