#include "tests/unit/admission/scene.hpp"

namespace {

using namespace spillway::admission;
using namespace spillway::admission::scene;

Policy with_streams(int max, Mode mode = Mode::enforce) {
  Policy policy = policy_of_10();
  policy.queue.max_length = 0;
  policy.streams.max = max;
  policy.mode = mode;
  return policy;
}

Request asking() {
  Request request;
  request.asks_for_stream = true;
  return request;
}
const Request kAsks = asking();

Request of_client(std::uint64_t key) {
  Request request;
  request.key = key;
  return request;
}

TEST_CASE("a request whose answer is a stream leaves the slots, and counts as a stream until it ends") {
  Scene scene(with_streams(100));
  for (int i = 0; i < 80; ++i) {
    Request& request = scene.arrive(kAsks);
    REQUIRE(request.state == State::admitted);
    CHECK(scene.controller.begin_stream(request, scene.now));
    CHECK(request.state == State::streaming);
  }
  CHECK(scene.controller.streams() == 80);
  CHECK(scene.controller.in_flight() == 0);
  CHECK(scene.snapshot().classes[0].in_flight == 0);
  scene.fill(8);  // every slot of the class is there for ordinary requests
  CHECK(scene.arrive().reason == Reason::capacity);
  for (int i = 0; i < 80; ++i) scene.finish(scene.requests[static_cast<std::size_t>(i)], Completion::dropped);
  CHECK(scene.controller.streams() == 0);
  CHECK(scene.controller.in_flight() == 8);
}

TEST_CASE("a stream gives its slot to a request that waits, and its client's share to the client") {
  Policy policy = with_streams(1);
  policy.queue.max_length = 10;
  policy.fairness.share = 0.25;
  Scene scene(policy);
  Request& stream = scene.arrive(of_client(7));
  scene.fill(7);
  Request& waits = scene.arrive(of_client(7));
  CHECK(scene.arrive(of_client(7)).state == State::refused);  // its client has as much as it may
  CHECK(waits.state == State::waiting);
  CHECK(scene.controller.begin_stream(stream, scene.now));
  CHECK(scene.controller.next_decided() == &waits);
  CHECK(waits.state == State::admitted);
  CHECK(scene.snapshot().keys == 1);
  scene.finish(waits);
  CHECK(scene.snapshot().keys == 0);
}

TEST_CASE("beyond streams.max, who asks for a stream is refused, and an unexpected stream keeps its slot") {
  Scene scene(with_streams(1));
  CHECK(scene.controller.begin_stream(scene.arrive(kAsks), scene.now));
  CHECK(scene.arrive(kAsks).state == State::refused);
  CHECK(scene.requests.back().reason == Reason::streams);
  Request& unexpected = scene.arrive();
  CHECK_FALSE(scene.controller.begin_stream(unexpected, scene.now));
  CHECK(unexpected.state == State::admitted);
  CHECK(scene.controller.streams() == 1);
  CHECK(scene.controller.in_flight() == 1);
  scene.finish(unexpected, Completion::stream);
  CHECK(scene.controller.in_flight() == 0);
  scene.finish(scene.requests.front());
  CHECK(scene.arrive(kAsks).state == State::admitted);
}

TEST_CASE("with streams.max 0 every request that asks for a stream is refused") {
  Scene scene(with_streams(0));
  CHECK(scene.arrive(kAsks).reason == Reason::streams);
  CHECK(scene.arrive().state == State::admitted);
}

TEST_CASE("shadow admits a stream beyond streams.max and says what enforce would have done; off has no such limit") {
  Scene shadow(with_streams(0, Mode::shadow));
  Request& extra = shadow.arrive(kAsks);
  CHECK(extra.state == State::admitted);
  CHECK(extra.shadow_refused);
  CHECK(extra.reason == Reason::streams);
  CHECK_FALSE(shadow.controller.begin_stream(extra, shadow.now));
  shadow.finish(extra, Completion::stream);
  CHECK(shadow.controller.in_flight() == 0);

  Scene off(with_streams(0, Mode::off));
  Request& free = off.arrive(kAsks);
  CHECK_FALSE(free.shadow_refused);
  CHECK(off.controller.begin_stream(free, off.now));
  CHECK(off.controller.streams() == 1);
}

TEST_CASE("a reload of streams.max keeps the streams there are, and holds for the next") {
  Scene scene(with_streams(2));
  for (int i = 0; i < 2; ++i) CHECK(scene.controller.begin_stream(scene.arrive(kAsks), scene.now));
  scene.controller.configure(with_streams(1), scene.now);
  CHECK(scene.controller.streams() == 2);
  scene.finish(scene.requests[0]);
  CHECK(scene.arrive(kAsks).reason == Reason::streams);
  scene.controller.configure(with_streams(2), scene.now);
  CHECK(scene.arrive(kAsks).state == State::admitted);
}

TEST_CASE("a stream teaches no service time, but to the breaker it is a success") {
  Policy policy = with_streams(1000);
  policy.breaker = {.enabled = true, .window = 10s, .min_requests = 10, .failure_ratio = 0.5};
  Scene scene(policy);
  for (int i = 0; i < 9; ++i) {
    Request& request = scene.arrive();
    scene.now += 10ms;
    CHECK(scene.controller.begin_stream(request, scene.now));
  }
  CHECK(scene.snapshot().classes[0].service_time == spillway::Duration::zero());
  scene.serve(8, Completion::dropped, 1ms);  // half of all opens it
  CHECK(scene.controller.breaker_state() == BreakerState::closed);
  scene.serve(1, Completion::dropped, 1ms);
  scene.now += 1ms;
  CHECK(scene.arrive().reason == Reason::breaker);
}

}  // namespace
