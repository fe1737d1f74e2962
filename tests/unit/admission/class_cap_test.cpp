#include "tests/unit/admission/scene.hpp"

namespace {

using namespace spillway::admission;
using namespace spillway::admission::scene;

constexpr int kReports = 1;

Policy capped(int max_concurrent, int max_length = 0) {
  Policy policy = policy_of_10();
  policy.classes.push_back({.name = "reports", .shed_at = 1.0, .max_concurrent = max_concurrent});
  policy.classes.erase(policy.classes.begin() + 1);
  policy.queue.max_length = max_length;
  return policy;
}

Request report() {
  Request request;
  request.class_index = kReports;
  return request;
}
const Request kReport = report();

TEST_CASE("a class is refused beyond its own cap, although slots are free, and others are not") {
  Scene scene(capped(3));
  scene.fill(3, kReport);
  CHECK(scene.arrive(kReport).state == State::refused);
  CHECK(scene.requests.back().reason == Reason::capacity);
  scene.fill(5);
  CHECK(scene.snapshot().classes[kReports].max_concurrent == 3);
  scene.finish(scene.requests.front());
  CHECK(scene.arrive(kReport).state == State::admitted);
}

TEST_CASE("beyond its cap a class waits, and is served as its own requests end") {
  Scene scene(capped(1, 10));
  Request& first = scene.arrive(kReport);
  Request& waits = scene.arrive(kReport);
  CHECK(waits.state == State::waiting);
  CHECK(scene.arrive().state == State::admitted);  // it keeps nobody else waiting
  scene.finish(scene.requests.back());
  CHECK(waits.state == State::waiting);
  scene.finish(first);
  CHECK(scene.controller.next_decided() == &waits);
  CHECK(waits.state == State::admitted);
}

TEST_CASE("a cap of 0 is none, and a cap above the limit changes nothing") {
  for (const int cap : {0, 10}) {
    Scene scene(capped(cap));
    scene.fill(10, kReport);
    CHECK(scene.arrive(kReport).state == State::refused);
  }
}

TEST_CASE("a reload changes the cap of a class") {
  Scene scene(capped(1, 10));
  scene.fill(1, kReport);
  Request& waits = scene.arrive(kReport);
  scene.controller.configure(capped(2, 10), scene.now);
  CHECK(waits.state == State::admitted);
  CHECK(scene.controller.next_decided() == &waits);
  scene.controller.configure(capped(1, 10), scene.now);
  scene.finish(waits);
  CHECK(scene.arrive(kReport).state == State::waiting);
}

TEST_CASE("shadow decides by the cap, too") {
  Policy policy = capped(1);
  policy.mode = Mode::shadow;
  Scene scene(policy);
  CHECK_FALSE(scene.arrive(kReport).shadow_refused);
  CHECK(scene.arrive(kReport).shadow_refused);
  CHECK_FALSE(scene.arrive().shadow_refused);
}

}  // namespace
