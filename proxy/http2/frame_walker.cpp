#include "proxy/http2/frame_walker.hpp"

#include <algorithm>

namespace spillway::http2 {

std::optional<FrameHead> FrameWalker::next(std::string_view& bytes) {
  for (;;) {
    const std::size_t skipped = std::min(payload_, bytes.size());
    bytes.remove_prefix(skipped);
    payload_ -= skipped;
    const std::size_t part = std::min(wanted_ - have_, bytes.size());
    std::copy_n(bytes.begin(), part, head_.begin() + static_cast<std::ptrdiff_t>(have_));
    bytes.remove_prefix(part);
    have_ += part;
    if (have_ < wanted_) return {};

    FrameHead head;
    head.length = byte(0) << 16 | byte(1) << 8 | byte(2);
    head.type = static_cast<FrameType>(byte(3));
    head.flags = static_cast<std::uint8_t>(byte(4));
    head.stream = static_cast<std::int32_t>((byte(5) & 0x7fu) << 24 | byte(6) << 16 | byte(7) << 8 | byte(8));
    if (head.type == FrameType::priority && head.length >= kDependencySize) {
      wanted_ = kHeadSize + kDependencySize;
      if (have_ < wanted_) continue;
      head.depends_on = (byte(9) & 0x7fu) << 24 | byte(10) << 16 | byte(11) << 8 | byte(12);
    }
    payload_ = head.length - (wanted_ - kHeadSize);
    have_ = 0;
    wanted_ = kHeadSize;
    return head;
  }
}

}  // namespace spillway::http2
