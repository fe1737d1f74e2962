#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace spillway::http2 {

/// What every client sends first (RFC 9113, section 3.4).
inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Types of frames (RFC 9113, section 6; RFC 9218, section 7.1).
enum class FrameType : std::uint8_t {
  data = 0,
  headers = 1,
  priority = 2,
  rst_stream = 3,
  settings = 4,
  push_promise = 5,
  ping = 6,
  goaway = 7,
  window_update = 8,
  continuation = 9,
  priority_update = 16,
};

inline constexpr std::uint8_t kEndStream = 1;  ///< of DATA and HEADERS
inline constexpr std::uint8_t kAck = 1;        ///< of SETTINGS and PING
inline constexpr std::uint8_t kPadded = 8;     ///< of DATA and HEADERS

struct FrameHead {
  std::uint32_t length = 0;  ///< of the payload
  FrameType type = FrameType::data;
  std::uint8_t flags = 0;
  std::int32_t stream = 0;
  std::uint32_t depends_on = 0;  ///< of PRIORITY, without the exclusive bit; 0 if it is too short

  bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
};

/// Finds the heads of frames in a client's bytes, without looking at anything else. The result does not depend on how
/// the bytes are split.
class FrameWalker {
 public:
  /// Takes bytes off the front of `bytes` up to the end of the next head; nothing, if no head ends in them. Then all of
  /// them have been taken. Of PRIORITY the head is taken with its dependency.
  std::optional<FrameHead> next(std::string_view& bytes);
  /// Bytes of a frame whose head has been found are still to come.
  bool in_payload() const { return payload_ > 0; }

 private:
  static constexpr std::size_t kHeadSize = 9;
  static constexpr std::size_t kDependencySize = 4;

  std::uint32_t byte(std::size_t at) const { return static_cast<unsigned char>(head_[at]); }

  std::array<char, kHeadSize + kDependencySize> head_{};
  std::size_t have_ = 0;                   ///< bytes of the head
  std::size_t wanted_ = kHeadSize;         ///< bytes of the head
  std::size_t payload_ = kPreface.size();  ///< bytes to skip before the next head
};

}  // namespace spillway::http2
