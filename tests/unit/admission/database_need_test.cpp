#include "proxy/admission/database_need.hpp"

#include "tests/unit/admission/scene.hpp"

namespace {

using namespace spillway::admission;
using namespace spillway::admission::scene;

constexpr int kNormal = 0, kCritical = 1;
constexpr DbPoolReport kFull{.capacity = 10, .in_use = 10, .open = 10, .waiters = 5};

Request of_class(int class_index) {
  Request request;
  request.class_index = class_index;
  return request;
}

/// `count` requests of a class are served, each with this in its report.
void serve(Scene& scene, int class_index, int count, std::optional<bool> used_database) {
  for (int i = 0; i < count; ++i) {
    Request& request = scene.arrive(of_class(class_index));
    REQUIRE(request.state == State::admitted);
    request.used_database = used_database;
    scene.finish(request);
  }
}

TEST_CASE("a class needs the database until its requests have shown that they do not") {
  DatabaseNeed need;
  CHECK(need.needed());
  for (int i = 0; i < 94; ++i) need.learn(false);
  CHECK(need.needed());
  need.learn(false);
  CHECK_FALSE(need.needed());
}

TEST_CASE("a class with mixed need counts as one that needs the database") {
  DatabaseNeed need;
  for (int i = 0; i < 1000; ++i) need.learn(i % 10 == 0);
  CHECK(need.needed());
  CHECK(need.share() == doctest::Approx(0.1).epsilon(0.3));
}

TEST_CASE("a single request with the database does not make a class one that needs it; two in a row do") {
  DatabaseNeed need;
  for (int i = 0; i < 1000; ++i) need.learn(false);
  need.learn(true);
  CHECK_FALSE(need.needed());
  need.learn(true);
  CHECK(need.needed());
}

TEST_CASE("while the pool is full, a class that needs no database goes on") {
  Scene scene;
  serve(scene, kNormal, 100, true);
  serve(scene, kCritical, 100, false);
  CHECK(scene.snapshot().classes[kCritical].database_share < 0.05);
  scene.controller.observe(kFull, scene.now);
  scene.now += 10ms;
  CHECK(scene.arrive(of_class(kNormal)).reason == Reason::pool);
  CHECK(scene.arrive(of_class(kNormal)).state == State::refused);
  serve(scene, kCritical, 100, false);
}

TEST_CASE("a class without reports is refused by the pool, as before") {
  Scene scene;
  serve(scene, kCritical, 200, std::nullopt);
  scene.controller.observe(kFull, scene.now);
  scene.now += 10ms;
  CHECK(scene.arrive(of_class(kCritical)).reason == Reason::pool);
}

TEST_CASE("a class that begins while the pool is full is let through one at a time, until it has shown what it needs") {
  Scene scene;
  serve(scene, kNormal, 100, true);
  scene.controller.observe(kFull, scene.now);
  scene.now += 10ms;
  Request& first = scene.arrive(of_class(kCritical));
  REQUIRE(first.state == State::admitted);
  CHECK(scene.arrive(of_class(kCritical)).reason == Reason::pool);
  first.used_database = false;
  scene.finish(first);
  serve(scene, kCritical, 94, false);
  CHECK(scene.arrive(of_class(kCritical)).state == State::admitted);
  CHECK(scene.arrive(of_class(kCritical)).state == State::admitted);
  CHECK(scene.arrive(of_class(kNormal)).reason == Reason::pool);
}

TEST_CASE("a class whose requests need the database is soon refused by a full pool like the others") {
  Scene scene;
  serve(scene, kNormal, 100, true);
  scene.controller.observe(kFull, scene.now);
  scene.now += 10ms;
  serve(scene, kCritical, 95, true);
  CHECK(scene.arrive(of_class(kCritical)).reason == Reason::pool);
}

TEST_CASE("pool_aware: false of a class says so from the start; pool_aware: false of all still holds for each class") {
  Policy policy = policy_of_10();
  policy.classes[kCritical].pool_aware = false;
  Scene scene(policy);
  scene.controller.observe(kFull, scene.now);
  scene.now += 10ms;
  CHECK(scene.arrive(of_class(kNormal)).reason == Reason::pool);
  CHECK(scene.arrive(of_class(kCritical)).state == State::admitted);

  policy.classes[kCritical].pool_aware = true;
  policy.pool_aware = false;
  scene.controller.configure(policy, scene.now);
  CHECK(scene.arrive(of_class(kNormal)).state == State::admitted);
}

/// The pool is offered three times what it can take; beside it a class comes that needs no database.
TEST_CASE("at 3x on the pool, all requests of a class that needs no database succeed") {
  Scene scene;
  serve(scene, kNormal, 100, true);
  serve(scene, kCritical, 100, false);
  int refused_by_pool = 0, served = 0;
  for (int round = 0; round < 200; ++round) {
    scene.now += 10ms;
    scene.controller.observe(round % 2 ? kFull : DbPoolReport{.capacity = 10, .in_use = 9}, scene.now);
    scene.now += 6ms;
    for (int i = 0; i < 3; ++i) {
      Request& request = scene.arrive(of_class(kNormal));
      refused_by_pool += request.state == State::refused && request.reason == Reason::pool;
      if (request.state != State::admitted) continue;
      request.used_database = true;
      scene.finish(request);
    }
    Request& free = scene.arrive(of_class(kCritical));
    served += free.state == State::admitted;
    free.used_database = false;
    scene.finish(free);
  }
  CHECK(refused_by_pool > 300);
  CHECK(served == 200);
}

TEST_CASE("requests that the API refuses before it comes to the database are not counted as connections of its pool") {
  for (const bool known : {false, true}) {
    CAPTURE(known);
    Scene scene;
    for (int i = 0; known && i < 100; ++i) {  // without a token
      Request& request = scene.arrive();
      request.used_database = false;
      request.client_error = true;
      scene.finish(request);
    }
    scene.fill(1);
    scene.controller.observe({.capacity = 10, .in_use = 1, .open = 1}, scene.now);
    scene.fill(7);
    CHECK(scene.snapshot().classes[kNormal].database_share == 1);  // what the others need is not known by that
    CHECK((scene.snapshot().pool_capacity_pct < 20) == known);
  }
}

}  // namespace
