// Cohorts: whole tasks instead of single calls.
#include <map>

#include <doctest/doctest.h>

#include "tests/unit/admission/simulation.hpp"

namespace {

using namespace spillway;
using namespace spillway::admission;
using namespace spillway::admission::simulation;
using namespace std::chrono_literals;

constexpr int kCalls = 4;  // of a task, each 20 ms after the answer to the one before

/// Ten slots of 20 ms, and nothing configured but cohorts.
struct Exam {
  Exam(bool cohorts, bool exponential, std::uint64_t seed) : simulation(policy(cohorts), api(exponential), seed) {}
  static Policy policy(bool cohorts) {
    Policy policy;
    policy.max_concurrent = 13;
    policy.cohorts = cohorts;
    return policy;
  }
  static Backend api(bool exponential) { return {.slots = 10, .service = 0.020, .exponential = exponential}; }
  static Source tasks(std::function<double(double)> load, double most) {
    const double rate = api(false).capacity() / kCalls;
    return {.rate = [=](double t) { return rate * load(t); },
            .max_rate = rate * most,
            .calls = kCalls,
            .pause = 0.020,
            .clients = 100'000};
  }
  Simulation simulation;
};

struct Outcome {
  double whole = 0;    // tasks of which all calls succeeded, of all tasks
  double goodput = 0;  // calls answered, of capacity
};

/// Of the tasks that begin and the calls that end from `from` to `to`.
Outcome outcome_of(const Simulation& simulation, double from, double to) {
  double tasks = 0, whole = 0, answered = 0;
  for (const Record& record : simulation.records) {
    tasks += record.call == 0 && record.arrived >= from && record.arrived < to;
    const bool counts = record.answered && record.ended >= from && record.ended < to;
    whole += counts && record.call == kCalls - 1;
    answered += counts;
  }
  return {.whole = whole / tasks, .goodput = answered / ((to - from) * Exam::api(false).capacity())};
}

Outcome outcome_at(double load, bool cohorts, bool exponential) {
  constexpr int kSeeds = 6;
  constexpr double kFrom = 4, kTo = 20;
  Outcome mean;
  for (int seed = 1; seed <= kSeeds; ++seed) {
    Exam exam(cohorts, exponential, static_cast<std::uint64_t>(seed));
    exam.simulation.add(Exam::tasks([=](double) { return load; }, load));
    exam.simulation.run_until(kTo + 1);
    const Outcome outcome = outcome_of(exam.simulation, kFrom, kTo);
    mean.whole += outcome.whole / kSeeds;
    mean.goodput += outcome.goodput / kSeeds;
  }
  return mean;
}

TEST_CASE("with cohorts nearly as many tasks succeed whole as could at best, and every slot is used" *
          doctest::test_suite("long")) {
  for (const bool exponential : {false, true}) {
    for (const double load : {1.2, 2.0, 5.0, 10.0}) {
      CAPTURE(exponential);
      CAPTURE(load);
      const Outcome outcome = outcome_at(load, true, exponential);
      CHECK(outcome.whole >= 0.95 / load);
      CHECK(outcome.goodput >= 0.97);
    }
  }
}

TEST_CASE("without cohorts calls are refused independently, and few tasks succeed whole" *
          doctest::test_suite("long")) {
  CHECK(outcome_at(2, false, true).whole < 0.7 / 2);
  CHECK(outcome_at(5, false, true).whole < 0.4 / 5);
}

TEST_CASE("while there is no overload no client is refused") {
  Exam exam(true, true, 3);
  exam.simulation.add(Exam::tasks([](double) { return 0.8; }, 0.8));
  exam.simulation.run_until(60);
  for (const Record& record : exam.simulation.records) REQUIRE_FALSE(record.refused);
}

TEST_CASE("soon after an overload all clients are served again") {
  for (const double load : {2.0, 10.0}) {
    CAPTURE(load);
    Exam exam(true, true, 3);
    exam.simulation.add(Exam::tasks([=](double t) { return t < 6 ? load : 0.7; }, load));
    exam.simulation.run_until(20);
    for (const Record& record : exam.simulation.records) {
      if (record.arrived > 8) REQUIRE_FALSE(record.refused);
    }
  }
}

TEST_CASE("an API that becomes faster while clients are refused serves more of them") {
  // Soon nobody waits any more, so that what was counted is an old rate.
  constexpr double kFaster = 10, kFrom = 14, kTo = 24;
  Backend api = Exam::api(true);
  api.slowness = [](double t) { return t < kFaster ? 1 : 0.5; };
  for (const int max_concurrent : {13, 100}) {  // 100: by the service time, it serves many times what it does
    for (const double load : {1.6, 3.0, 5.0, 10.0}) {
      CAPTURE(max_concurrent);
      CAPTURE(load);
      Policy policy = Exam::policy(true);
      policy.max_concurrent = max_concurrent;
      Simulation simulation(policy, api, 3);
      simulation.add(Exam::tasks([=](double) { return load; }, load));
      double most_served = 0;  // part of the clients
      simulation.on_tick = [&](double t) {
        const double threshold = simulation.controller.learned(Time{} + seconds(t)).classes[0].queue.threshold;
        if (t >= kFaster) most_served = std::max(most_served, threshold);
      };
      simulation.run_until(kTo + 1);
      const Outcome outcome = outcome_of(simulation, kFrom, kTo);
      const double best = std::min(2.0, load);  // of capacity before
      CHECK(outcome.goodput >= 0.95 * best);
      CHECK(outcome.whole >= 0.93 * best / load);
      if (load > 4) CHECK(most_served < 1);
    }
  }
}

TEST_CASE("those whose turn it is not are told at once") {
  Exam exam(true, true, 3);
  exam.simulation.add(Exam::tasks([](double) { return 5; }, 5));
  exam.simulation.run_until(20);
  for (const Record& record : exam.simulation.records) {
    if (record.arrived > 2 && record.reason == Reason::cohort) CHECK(record.latency() < 0.001);
  }
}

TEST_CASE("who waits out of turn when cohorts come into force is refused with `cohort`") {
  Exam exam(true, false, 3);
  exam.simulation.add(Exam::tasks([](double) { return 5; }, 5));
  exam.simulation.run_until(3);
  int evicted = 0;
  for (const Record& record : exam.simulation.records) {
    if (record.refused && record.reason == Reason::cohort) evicted += record.latency() > 0.01;
  }
  CHECK(evicted > 100);
}

TEST_CASE("few clients with many requests each are served in turn, too") {
  Exam exam(true, true, 3);
  Source source = Exam::tasks([](double) { return 2; }, 2);
  source.clients = 20;
  exam.simulation.add(source);
  exam.simulation.run_until(30);
  std::map<double, int> tasks, whole;
  double answered = 0;
  for (const Record& record : exam.simulation.records) {
    if (record.arrived < 5) continue;
    tasks[record.place] += record.call == 0;
    whole[record.place] += record.answered && record.call == kCalls - 1;
    answered += record.answered && record.ended < 30;
  }
  int nearly_all = 0, hardly_any = 0;
  for (const auto& [place, count] : tasks) {
    nearly_all += whole[place] > 0.9 * count;
    hardly_any += whole[place] < 0.1 * count;
  }
  CHECK(nearly_all >= 7);
  CHECK(hardly_any >= 7);
  CHECK(answered >= 0.95 * 25 * Exam::api(true).capacity());
}

TEST_CASE("the threshold begins at the share that can be served, and stays between its bounds") {
  CohortThreshold threshold;
  Time now = Time{} + 1h;
  CHECK_FALSE(threshold.active());
  CHECK(threshold.serves(0.999));
  threshold.begin(500, 2000, now);
  CHECK(threshold.value() == doctest::Approx(0.25));
  CHECK(threshold.serves(0.2));
  CHECK_FALSE(threshold.serves(0.3));
  for (int i = 0; i < 1000; ++i) threshold.observe(2, 1s, 1s, now += 10ms);
  CHECK(threshold.value() == doctest::Approx(0.01));
  for (int i = 0; i < 1000; ++i) threshold.observe(0, 0s, 1s, now += 10ms);
  CHECK_FALSE(threshold.active());
  CHECK(threshold.value() == 1);
}

TEST_CASE("with as much load as is served, and the wait that it should be, the threshold rests") {
  CohortThreshold threshold;
  Time now = Time{} + 1h;
  threshold.begin(500, 1000, now);
  for (int i = 0; i < 1000; ++i) threshold.observe(1, 200ms, 1s, now += 10ms);
  CHECK(threshold.value() == doctest::Approx(0.5));
}

}  // namespace
