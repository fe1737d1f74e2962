// What a process believes of the one before it, over the hand-over socket: frames are taken apart whatever they are; a
// state is accepted whole or not at all, and an accepted one neither breaks admission nor goes beyond its bounds.
// Input: the bytes of the socket.

#include <cmath>
#include <cstdint>
#include <string>

#include "proxy/handover/frame.hpp"
#include "proxy/handover/state.hpp"
#include "tests/fuzz/require.hpp"

using namespace spillway;

namespace {

void take(const std::string& text) {
  std::string error;
  std::optional<handover::State> state = handover::parse_state(text, error);
  FUZZ_REQUIRE(state.has_value() == error.empty());
  if (!state) return;
  FUZZ_REQUIRE(handover::parse_state(handover::to_json(*state), error));
  const std::vector<std::string> names{"normal", "critical"};
  handover::order_classes(*state, names);
  for (const auto& sample : state->history) FUZZ_REQUIRE(sample.offered_of.size() == names.size());

  admission::Policy policy;
  policy.adaptive.enabled = true;
  policy.classes = {{.name = "normal"}, {.name = "critical", .shed_at = 1}};
  admission::Controller controller(policy);
  Time now = Time{} + std::chrono::hours(1);
  controller.restore(state->admission, now);
  for (int i = 0; i < 100; ++i) {
    admission::Request request;
    request.class_index = i % 2;
    if (controller.arrive(request, now) == admission::Request::State::admitted) {
      now += std::chrono::milliseconds(1);
      controller.finish(request, admission::Completion::success, now);
    } else if (request.state == admission::Request::State::waiting) {
      controller.abandon(request);
    }
    while (controller.next_decided()) {
    }
    now += std::chrono::milliseconds(100);
    controller.tick(now);
    FUZZ_REQUIRE(controller.limit() >= 1 && controller.limit() <= policy.max_concurrent);
  }
  FUZZ_REQUIRE(controller.in_flight() == 0);
  controller.snapshot(now);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  handover::FrameReader reader;
  reader.add({reinterpret_cast<const char*>(data), size});
  handover::Frame frame;
  std::size_t taken = 0;
  while (reader.next(frame) == handover::FrameReader::State::frame) {
    taken += handover::encode(frame).size();
    if (frame.kind == "state") take(frame.payload);
    if (frame.kind == "listener") handover::parse_listening(frame.payload);
    if (frame.kind == "go" || frame.kind == "need") handover::parse_needs(frame.payload);
  }
  FUZZ_REQUIRE(taken <= size + 32);  // a length may have zeros in front
  return 0;
}
