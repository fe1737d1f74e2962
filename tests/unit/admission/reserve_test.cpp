#include <deque>

#include <doctest/doctest.h>

#include "proxy/admission/controller.hpp"

namespace {

using namespace spillway::admission;
using spillway::Time;
using State = Request::State;
using namespace std::chrono_literals;

constexpr int kCritical = 0, kBackground = 1;

struct Scene {
  State arrive(int class_index) {
    requests.emplace_back().class_index = class_index;
    return controller.arrive(requests.back(), now);
  }
  int admitted(int class_index, int tries) {
    int count = 0;
    while (tries-- > 0) count += arrive(class_index) == State::admitted;
    return count;
  }
  void finish_one(int class_index) {
    for (Request& request : requests) {
      if (request.class_index != class_index || request.state != State::admitted) continue;
      return controller.finish(request, Completion::success, now);
    }
    FAIL("none of that class is in flight");
  }

  static Policy policy(int max_length) {
    Policy policy;
    policy.max_concurrent = 10;
    policy.classes = {{"critical", 1.0}, {.name = "background", .shed_at = 0.5, .reserve = 2}};
    policy.queue = {.max_length = max_length, .max_wait = 2s};
    return policy;
  }
  explicit Scene(int max_length = 0) : controller(policy(max_length)) {}

  Controller controller;
  Time now = Time{} + 1h;
  std::deque<Request> requests;
};

TEST_CASE("a class may use its reserve although its share is used up") {
  Scene scene;
  CHECK(scene.admitted(kCritical, 8) == 8);
  CHECK(scene.admitted(kBackground, 5) == 2);
}

TEST_CASE("free slots are reserved for a class that needs them, less those that it already uses") {
  Scene scene;
  CHECK(scene.admitted(kBackground, 1) == 1);
  CHECK(scene.admitted(kCritical, 20) == 8);
  CHECK(scene.admitted(kBackground, 5) == 1);
}

TEST_CASE("a class that has been quiet for a second lends its slots, and gets them back with its next request") {
  Scene scene;
  CHECK(scene.admitted(kBackground, 1) == 1);
  scene.finish_one(kBackground);
  CHECK(scene.admitted(kCritical, 20) == 8);
  scene.now += 1s;
  CHECK(scene.admitted(kCritical, 20) == 2);

  CHECK(scene.admitted(kBackground, 1) == 0);  // its arrival claims the reserve
  scene.finish_one(kCritical);
  CHECK(scene.admitted(kCritical, 1) == 0);
  CHECK(scene.admitted(kBackground, 1) == 1);
}

TEST_CASE("a waiting request within its reserve is served before better classes") {
  Scene scene(10);
  CHECK(scene.admitted(kCritical, 10) == 10);
  CHECK(scene.arrive(kBackground) == State::waiting);
  Request& background = scene.requests.back();
  CHECK(scene.arrive(kCritical) == State::waiting);
  Request& critical = scene.requests.back();
  scene.finish_one(kCritical);
  CHECK(scene.controller.next_decided() == &background);
  CHECK(scene.controller.next_decided() == nullptr);

  // The second slot of the reserve is kept as long as it is needed, and then lent without any other event.
  scene.finish_one(kCritical);
  CHECK(scene.controller.next_decided() == nullptr);
  scene.now += 999ms;
  scene.controller.tick(scene.now);
  CHECK(scene.controller.next_decided() == nullptr);
  scene.now += 1ms;

  scene.controller.tick(scene.now);
  CHECK(scene.controller.next_decided() == &critical);
  CHECK(critical.state == State::admitted);
}

}  // namespace
