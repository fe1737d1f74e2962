#include "proxy/handover/frame.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace spillway::handover {
namespace {

using State = FrameReader::State;

TEST_CASE("frames arrive whole, however their bytes are cut") {
  const std::vector<Frame> sent{{"hello", "{}"}, {"end", ""}, {"state", std::string(100'000, 'x')}, {"go", "a\nb 3\n"}};
  std::string bytes;
  for (const Frame& each : sent) bytes += encode(each);
  for (const std::size_t piece : {1, 7, 4096, 1'000'000}) {
    CAPTURE(piece);
    FrameReader reader;
    std::vector<Frame> got;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      reader.add(bytes.substr(at, piece));
      Frame frame;
      State state;
      while ((state = reader.next(frame)) == State::frame) got.push_back(frame);
      CHECK(state == State::more);
    }
    REQUIRE(got.size() == sent.size());
    for (std::size_t i = 0; i < sent.size(); ++i) {
      CHECK(got[i].kind == sent[i].kind);
      CHECK(got[i].payload == sent[i].payload);
    }
  }
}

TEST_CASE("what is no frame is refused") {
  const std::string long_kind(kKindMax + 1, 'k');
  for (const std::string& bytes :
       std::vector<std::string>{"\n", "hello\n", "hello \n", "hello -1\n", "hello 1x\n", " 1\nx", "Hello 1\nx",
                                long_kind + " 1\nx", "state 16777217\n", "state 99999999999999999999\n",
                                std::string(100, 'a'), "GET / HTTP/1.1\r\nHost: x\r\n\r\n"}) {
    CAPTURE(bytes);
    FrameReader reader;
    reader.add(bytes);
    Frame frame;
    CHECK(reader.next(frame) == State::malformed);
  }
  FrameReader reader;
  reader.add("state 16777216\n");  // the largest, on its way
  Frame frame;
  CHECK(reader.next(frame) == State::more);
}

}  // namespace
}  // namespace spillway::handover
