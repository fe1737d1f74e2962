#pragma once

#include <deque>

#include <doctest/doctest.h>

#include "proxy/admission/controller.hpp"

/// A controller of ten slots, its clock, and the requests, which keep their addresses.
namespace spillway::admission::scene {

using State = Request::State;
using BreakerState = Breaker::State;
using namespace std::chrono_literals;

inline Policy policy_of_10() {
  Policy policy;
  policy.max_concurrent = 10;
  policy.classes = {{"normal", 0.80}, {"critical", 1.00}};
  policy.queue = {.max_length = 10, .max_wait = 1s};
  policy.breaker = {.enabled = true};
  return policy;
}

struct Scene {
  explicit Scene(Policy policy = policy_of_10()) : controller(std::move(policy)) {}

  Request& arrive(Request request = {}) {
    requests.push_back(request);
    controller.arrive(requests.back(), now);
    return requests.back();
  }
  void fill(int count, Request like = {}) {
    while (count-- > 0) REQUIRE(arrive(like).state == State::admitted);
  }
  void finish(Request& request, Completion completion = Completion::success) {
    controller.finish(request, completion, now);
  }
  /// Serves requests one after another, each for this time.
  void serve(int count, Completion completion, Duration taken, Request like = {}) {
    while (count-- > 0) {
      Request& request = arrive(like);
      REQUIRE(request.state == State::admitted);
      now += taken;
      finish(request, completion);
    }
  }
  Snapshot snapshot() const { return controller.snapshot(now); }

  Controller controller;
  Time now = Time{} + 1h;
  std::deque<Request> requests;
};

}  // namespace spillway::admission::scene
