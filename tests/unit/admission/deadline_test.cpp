// Requests whose client says when it stops waiting: refused if they would be late, but never by an estimate that keeps
// itself.
#include <map>

#include <doctest/doctest.h>

#include "tests/unit/admission/scene.hpp"

namespace {

using namespace spillway;
using namespace spillway::admission;
using namespace std::chrono_literals;
using scene::policy_of_10;
using scene::Scene;
using scene::State;

Policy policy_of_100() {
  Policy policy = policy_of_10();
  policy.max_concurrent = 100;
  return policy;
}

/// Requests with a deadline, and the time that the API takes for them.
struct Traffic : Scene {
  using Scene::Scene;

  /// One request every `apart` for this time. Returns how many of them are refused.
  int run(Duration lasts, Duration apart, Duration takes, Duration timeout) {
    int refused = 0;
    for (const Time end = now + lasts; now < end; now += apart) {
      answer_until(now);
      Request request;
      request.deadline = now + timeout;
      Request& sent = arrive(request);
      refused += sent.state == State::refused;
      if (sent.state == State::refused) CHECK(sent.reason == Reason::deadline);
      if (sent.state == State::admitted) at_api.emplace(now + takes, &sent);
    }
    return refused;
  }
  void answer_until(Time until) {
    const Time later = now;
    while (!at_api.empty() && at_api.begin()->first <= until) {
      now = at_api.begin()->first;
      finish(*at_api.begin()->second);
      at_api.erase(at_api.begin());
    }
    now = later;
  }
  /// Several requests of 1 s at a time, without a deadline.
  void reports(int count) {
    for (int i = 0; i < count; ++i) at_api.emplace(now + 1s, &arrive());
    now += 1s;
    answer_until(now);
  }

  std::multimap<Time, Request*> at_api;
};

TEST_CASE("some slow requests, and everybody else is served again within about a second") {
  struct Row {
    Duration apart;
    bool beside_a_long_one;
  };
  for (const Row& row : {Row{200ms, false}, Row{50ms, false}, Row{50ms, true}, Row{10ms, true}, Row{1ms, true}}) {
    CAPTURE(row.apart.count());
    CAPTURE(row.beside_a_long_one);
    Traffic traffic(policy_of_100());
    CHECK(traffic.run(2s, row.apart, 5ms, 300ms) == 0);
    traffic.reports(10);
    if (row.beside_a_long_one) traffic.arrive();
    const int refused = traffic.run(1200ms, row.apart, 5ms, 300ms);
    if (!row.beside_a_long_one) CHECK(refused == 0);
    CHECK(traffic.run(60s, row.apart, 5ms, 300ms) == 0);
  }
}

TEST_CASE("a slow moment of the API refuses its clients hardly longer than it lasts") {
  Traffic traffic(policy_of_100());
  traffic.run(1s, 10ms, 5ms, 300ms);
  traffic.run(2s, 10ms, 800ms, 300ms);
  traffic.run(1800ms, 10ms, 5ms, 300ms);  // the last slow ones take 800 ms
  CHECK(traffic.run(10s, 10ms, 5ms, 300ms) == 0);
}

TEST_CASE("while the API is too slow for the deadlines, one request in ten tries") {
  Traffic traffic(policy_of_100());
  traffic.run(2s, 10ms, 800ms, 300ms);
  const int refused = traffic.run(10s, 10ms, 800ms, 300ms);
  CHECK(refused >= 880);
  CHECK(refused <= 910);
}

TEST_CASE("a deadline that the API has never been near is refused, idle or not") {
  Traffic traffic(policy_of_100());
  traffic.run(1s, 20ms, 10ms, 10s);
  CHECK(traffic.run(1s, 20ms, 10ms, 2ms) == 50);
  CHECK(traffic.run(200ms, 20ms, 10ms, 0ms) == 10);
}

TEST_CASE("no request that seems late is sent while most slots are in use") {
  Traffic traffic;
  traffic.run(1s, 200ms, 100ms, 10s);
  traffic.answer_until(traffic.now);
  traffic.fill(6);
  CHECK(traffic.run(800ms, 10ms, 100ms, 90ms) == 80);
}

TEST_CASE("a request that waits is told when it can no longer be answered in time, and leaves its place") {
  for (const bool known : {false, true}) {
    CAPTURE(known);
    Scene scene;
    if (known) scene.serve(20, Completion::success, 20ms);
    scene.fill(8);
    Request hurried;
    hurried.deadline = scene.now + 300ms;
    Request& waiting = scene.arrive(hurried);
    Request& patient = scene.arrive();
    REQUIRE(waiting.state == State::waiting);
    const Time last = waiting.deadline - (known ? 20ms : 0ms);
    CHECK(scene.controller.expire(waiting, scene.now) == last);
    scene.now = last - 1ms;
    CHECK(scene.controller.expire(waiting, scene.now) == last);
    CHECK_FALSE(scene.controller.has_news());
    scene.now = last;
    CHECK(scene.controller.expire(waiting, scene.now) == Time::max());
    CHECK(scene.controller.next_decided() == &waiting);
    CHECK(waiting.state == State::refused);
    CHECK(waiting.reason == Reason::deadline);
    CHECK(scene.controller.queue_length() == 1);
    CHECK(scene.controller.expire(waiting, scene.now) == Time::max());
    CHECK(scene.controller.expire(patient, scene.now) == Time::max());
    CHECK(patient.state == State::waiting);
  }
}

}  // namespace
