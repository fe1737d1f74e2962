#include "proxy/http2/frame_walker.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace {

using namespace spillway::http2;

std::string frame(int type, int flags, std::uint32_t stream, const std::string& payload) {
  std::string out;
  for (int shift = 16; shift >= 0; shift -= 8) out.push_back(static_cast<char>(payload.size() >> shift & 0xff));
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(stream >> shift & 0xff));
  return out + payload;
}

std::string found(std::string_view bytes, std::size_t piece) {
  FrameWalker walker;
  std::string all;
  while (!bytes.empty()) {
    std::string_view part = bytes.substr(0, piece);
    bytes.remove_prefix(part.size());
    while (const auto head = walker.next(part)) {
      all += std::to_string(static_cast<int>(head->type)) + "," + std::to_string(head->length) + "," +
             std::to_string(head->flags) + "," + std::to_string(head->stream) + "," + std::to_string(head->depends_on) +
             ";";
    }
    CHECK(part.empty());
  }
  return all;
}

TEST_CASE("heads of frames are found, however the bytes are split") {
  const std::string bytes = std::string(kPreface) + frame(4, 0, 0, std::string(12, '\0')) + frame(4, 1, 0, "") +
                            frame(0, 1, 1, std::string(300, '\xff')) +
                            frame(2, 0, 5, std::string("\x80\0\0\x07\x10", 5)) + frame(2, 0, 7, "abc") +
                            frame(250, 255, 0x7fffffff, "x") + frame(8, 0, 0x80000001, "1234");
  const std::string expected = "4,12,0,0,0;4,0,1,0,0;0,300,1,1,0;2,5,0,5,7;2,3,0,7,0;250,1,255,2147483647,0;8,4,0,1,0;";
  for (const std::size_t piece : {1, 2, 3, 8, 9, 10, 13, 14, 100, 10'000}) {
    CAPTURE(piece);
    CHECK(found(bytes, piece) == expected);
  }
}

}  // namespace
