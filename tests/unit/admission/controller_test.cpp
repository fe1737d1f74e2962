#include "proxy/admission/controller.hpp"

#include <deque>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace {

using namespace spillway::admission;
using spillway::Duration;
using spillway::Time;
using State = Request::State;
using namespace std::chrono_literals;

constexpr int kCritical = 0, kNormal = 1, kBackground = 2;

Policy policy_of_100() {
  Policy policy;
  policy.max_concurrent = 100;
  policy.classes = {{"critical", 1.00}, {"normal", 0.80}, {"background", 0.60}};
  policy.queue = {.max_length = 10, .max_wait = 1s};
  return policy;
}

Policy without_waiting(Policy policy) {
  policy.queue.max_length = 0;
  return policy;
}

/// A controller, its clock, and the requests, which keep their addresses.
struct Scene {
  explicit Scene(Policy policy) : controller(std::move(policy)) {}

  Request& arrive(int class_index) {
    Request& request = requests.emplace_back();
    request.class_index = class_index;
    controller.arrive(request, now);
    return request;
  }
  void fill(int class_index, int count) {
    for (int i = 0; i < count; ++i) REQUIRE(arrive(class_index).state == State::admitted);
  }
  void finish(Request& request) { controller.finish(request, Completion::success, now); }
  void finish_first() {
    for (Request& request : requests) {
      if (request.state == State::admitted) return finish(request);
    }
    FAIL("nobody is in flight");
  }
  std::vector<Request*> decided() {
    std::vector<Request*> all;
    while (Request* request = controller.next_decided()) all.push_back(request);
    return all;
  }

  Controller controller;
  Time now{};
  std::deque<Request> requests;
};

TEST_CASE("the 81st of 100 requests waits, and is refused if no request finishes in time") {
  Scene scene(policy_of_100());
  scene.fill(kNormal, 80);
  Request& late = scene.arrive(kNormal);
  CHECK(late.state == State::waiting);
  CHECK(scene.controller.in_flight() == 80);
  CHECK(scene.controller.queue_length() == 1);

  scene.now += 999ms;
  scene.controller.tick(scene.now);
  CHECK(scene.controller.next_decided() == nullptr);
  scene.now += 1ms;
  scene.controller.tick(scene.now);
  CHECK(scene.controller.next_decided() == &late);
  CHECK(late.state == State::refused);
  CHECK(late.reason == Reason::queue_timeout);
  CHECK(scene.controller.queue_length() == 0);
}

TEST_CASE("above the share of a class, better classes are admitted up to the whole limit") {
  Scene scene(policy_of_100());
  scene.fill(kBackground, 60);
  CHECK(scene.arrive(kBackground).state == State::waiting);
  scene.fill(kNormal, 20);
  CHECK(scene.arrive(kNormal).state == State::waiting);
  scene.fill(kCritical, 20);
  CHECK(scene.arrive(kCritical).state == State::waiting);
  CHECK(scene.controller.in_flight() == 100);
}

TEST_CASE("a share is exact for decimals, and each class with a share gets at least one slot") {
  struct Row {
    double shed_at;
    int limit, share;
  };
  for (const Row& row : std::vector<Row>{{0.80, 100, 80},
                                         {0.60, 5, 3},
                                         {0.29, 100, 29},
                                         {0.58, 100, 58},
                                         {0.07, 100, 7},
                                         {0.80, 1, 1},
                                         {0.01, 10, 1},
                                         {0, 100, 0},
                                         {1, 7, 7},
                                         {0.999, 10, 9},
                                         {0.57, 10000, 5700}}) {
    CAPTURE(row.shed_at);
    CAPTURE(row.limit);
    CHECK(share_of(row.shed_at, row.limit) == row.share);
  }
}

TEST_CASE("a freed slot goes to the oldest request of the best waiting class") {
  Policy policy = policy_of_100();
  policy.max_concurrent = 1;
  Scene scene(policy);
  scene.fill(kCritical, 1);
  Request& background = scene.arrive(kBackground);
  Request& normal = scene.arrive(kNormal);
  Request& second_normal = scene.arrive(kNormal);
  Request& critical = scene.arrive(kCritical);
  for (Request* expected : {&critical, &normal, &second_normal, &background}) {
    scene.finish_first();
    CHECK(scene.decided() == std::vector<Request*>{expected});
    CHECK(expected->state == State::admitted);
  }
}

TEST_CASE("classes of the same share are served in the order of the configuration, and the default class last") {
  Policy policy;
  policy.max_concurrent = 1;
  policy.classes = {{"default", 1.0}, {"first", 1.0}, {"second", 1.0}};
  Scene scene(policy);
  scene.fill(0, 1);
  Request& third = scene.arrive(0);
  Request& second = scene.arrive(2);
  Request& first = scene.arrive(1);
  for (Request* next : {&first, &second, &third}) {
    scene.finish_first();
    CHECK(scene.decided() == std::vector<Request*>{next});
  }
}

TEST_CASE("a full queue evicts the newest request of the lowest class, but only for an arrival of a better class") {
  Policy policy = policy_of_100();
  policy.max_concurrent = 1;
  policy.queue.max_length = 3;
  Scene scene(policy);
  scene.fill(kCritical, 1);
  Request& old_background = scene.arrive(kBackground);
  Request& young_background = scene.arrive(kBackground);
  Request& normal = scene.arrive(kNormal);

  Request& one_too_many = scene.arrive(kBackground);
  CHECK(one_too_many.state == State::refused);
  CHECK(one_too_many.reason == Reason::queue_full);
  CHECK(scene.decided().empty());

  Request& better = scene.arrive(kNormal);
  CHECK(better.state == State::waiting);
  CHECK(scene.decided() == std::vector<Request*>{&young_background});
  CHECK(young_background.reason == Reason::queue_full);

  scene.arrive(kCritical);
  CHECK(scene.decided() == std::vector<Request*>{&old_background});
  CHECK(scene.arrive(kNormal).reason == Reason::queue_full);
  CHECK(normal.state == State::waiting);
  CHECK(scene.controller.queue_length() == 3);
}

TEST_CASE("with queueing off a request is refused at once with `capacity`") {
  Policy no_length = policy_of_100(), no_wait = policy_of_100();
  no_length.queue.max_length = 0;
  no_wait.queue.max_wait = 0s;
  for (const Policy& policy : {no_length, no_wait}) {
    Scene scene(policy);
    scene.fill(kNormal, 80);
    Request& refused = scene.arrive(kNormal);
    CHECK(refused.state == State::refused);
    CHECK(refused.reason == Reason::capacity);
  }
}

TEST_CASE("a class whose share is 0 is refused although all slots are free") {
  Policy policy = policy_of_100();
  policy.classes[kBackground].shed_at = 0;
  Scene scene(policy);
  scene.controller.observe({.capacity = 50, .in_use = 0}, scene.now);
  Request& refused = scene.arrive(kBackground);
  CHECK(refused.state == State::refused);
  CHECK(refused.reason == Reason::capacity);  // not `pool`, although an idle pool has also reached 0 %
  CHECK(scene.controller.in_flight() == 0);
}

TEST_CASE("a request whose client leaves is removed from the queue at once, from any place") {
  Policy policy = policy_of_100();
  policy.max_concurrent = 1;
  for (const std::size_t gone : {0U, 1U, 2U}) {
    CAPTURE(gone);
    Scene scene(policy);
    scene.fill(kNormal, 1);
    std::vector<Request*> waiting{&scene.arrive(kNormal), &scene.arrive(kNormal), &scene.arrive(kNormal)};
    scene.controller.abandon(*waiting[gone]);
    CHECK(waiting[gone]->state == State::fresh);
    CHECK(scene.controller.queue_length() == 2);
    waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(gone));
    scene.controller.refuse_waiting(Reason::draining);
    CHECK(scene.decided() == waiting);
  }
}

TEST_CASE("shadow admits everything and marks what enforce would have refused") {
  Policy policy = policy_of_100();
  policy.mode = Mode::shadow;
  policy.classes[kBackground].shed_at = 0;
  Scene scene(policy);
  scene.fill(kNormal, 80);
  Request& over = scene.arrive(kNormal);
  CHECK(over.state == State::admitted);
  CHECK(over.shadow_refused);
  CHECK(over.reason == Reason::capacity);
  CHECK(scene.arrive(kBackground).shadow_refused);
  CHECK(scene.controller.in_flight() == 82);

  SUBCASE("what would have been refused takes no slot from the next") {
    CHECK_FALSE(scene.arrive(kCritical).shadow_refused);
    scene.finish(scene.requests.front());
    scene.finish(scene.requests[1]);
    CHECK_FALSE(scene.arrive(kNormal).shadow_refused);
  }
  SUBCASE("but takes one as soon as the mode is enforce") {
    scene.controller.configure(without_waiting(policy_of_100()), scene.now);
    CHECK(scene.controller.in_flight() == 82);
    scene.finish(over);
    scene.finish(scene.requests.front());
    CHECK(scene.arrive(kNormal).state == State::refused);
    scene.finish(scene.requests[1]);
    CHECK(scene.arrive(kNormal).state == State::admitted);
  }
}

TEST_CASE("off admits everything and marks nothing") {
  Policy policy = policy_of_100();
  policy.mode = Mode::off;
  policy.classes[kNormal].shed_at = 0;
  Scene scene(policy);
  scene.fill(kNormal, 500);
  CHECK(scene.controller.in_flight() == 500);
  for (const Request& request : scene.requests) CHECK_FALSE(request.shadow_refused);
}

TEST_CASE("a reload decides waiting requests anew") {
  Policy policy = policy_of_100();
  policy.max_concurrent = 1;
  Scene scene(policy);
  scene.fill(kNormal, 1);
  Request& first = scene.arrive(kNormal);
  Request& second = scene.arrive(kNormal);
  Request& background = scene.arrive(kBackground);

  SUBCASE("more capacity lets them in") {
    policy.max_concurrent = 3;
    scene.controller.configure(policy, scene.now);
    CHECK(scene.decided() == std::vector<Request*>{&first});  // 0.80 of 3 is 2
    CHECK(second.state == State::waiting);
  }
  SUBCASE("a shorter queue gives up the last in line") {
    policy.queue.max_length = 1;
    scene.controller.configure(policy, scene.now);
    CHECK(scene.decided() == std::vector<Request*>{&background, &second});
    CHECK(second.reason == Reason::queue_full);
  }
  SUBCASE("off lets all in, the best first") {
    policy.mode = Mode::off;
    scene.controller.configure(policy, scene.now);
    CHECK(scene.decided() == std::vector<Request*>{&first, &second, &background});
    CHECK(background.state == State::admitted);
    CHECK(scene.controller.in_flight() == 4);
  }
  SUBCASE("a class that is to be refused always does not wait on") {
    policy.classes[kBackground].shed_at = 0;
    scene.controller.configure(policy, scene.now);
    CHECK(scene.decided() == std::vector<Request*>{&background});
    CHECK(background.reason == Reason::capacity);
  }
  SUBCASE("requests keep their class when the classes are renumbered or dropped") {
    policy.classes = {{"new", 0.90}, {"background", 1.00}};  // critical and normal are gone
    scene.controller.configure(policy, scene.now);
    Request& newcomer = scene.arrive(0);
    for (Request* expected : {&background, &newcomer, &first, &second}) {
      scene.finish_first();
      CHECK(scene.decided() == std::vector<Request*>{expected});
    }
  }
}

TEST_CASE("after the limit is lowered below the requests in flight, none is admitted until enough have finished") {
  Scene scene(without_waiting(policy_of_100()));
  scene.fill(kCritical, 10);
  Policy smaller = without_waiting(policy_of_100());
  smaller.max_concurrent = 5;
  scene.controller.configure(smaller, scene.now);
  for (int in_flight = 10; in_flight > 4; --in_flight) {
    CHECK(scene.arrive(kCritical).state == State::refused);
    scene.finish_first();
  }
  CHECK(scene.arrive(kCritical).state == State::admitted);
}

TEST_CASE("an unknown class index counts as the default class") {
  Scene scene(without_waiting(policy_of_100()));
  scene.fill(kNormal, 80);
  scene.fill(-1, 10);
  scene.fill(7, 10);
  CHECK(scene.arrive(7).state == State::refused);
}

TEST_CASE("every reason has the name that users know") {
  std::string all;
  for (int i = 0; i < kReasons; ++i) all += std::string(name(static_cast<Reason>(i))) + " ";
  CHECK(all ==
        "capacity queue_full queue_timeout pool fairness cohort streams deadline breaker maintenance connections "
        "draining "
        "upstream_connections ");
}

TEST_CASE("a class without slots refuses for capacity, not because of its client") {
  Policy policy = policy_of_100();
  policy.classes[kBackground].shed_at = 0;
  Scene scene(policy);
  Request& request = scene.requests.emplace_back();
  request.class_index = kBackground;
  request.key = 1;
  CHECK(scene.controller.arrive(request, scene.now) == State::refused);
  CHECK(request.reason == Reason::capacity);
}

}  // namespace
