// Asserts on the pure controller, in simulated time, what the overload lab measures on the real proxy. The simulated
// proxy has the default configuration, except for `max_concurrent`: 13 leaves 10 slots to ordinary requests.
#include <doctest/doctest.h>

#include "tests/unit/admission/outcome.hpp"

namespace {

using namespace spillway::admission;
using namespace spillway::admission::simulation;
using namespace std::chrono_literals;

Backend backend_of(int slots, bool exponential, double service = 0.010) {
  return {.slots = slots, .service = service, .exponential = exponential};
}

/// 90 % of the calls take half the mean, 10 % eleven times that.
Backend bimodal() {
  return {.draw = [](double mean, double uniform, double) { return uniform < 0.9 ? mean * 0.5 : mean * 5.5; }};
}

Policy policy_for(const Backend& backend, Mode mode = Mode::enforce) {
  Policy policy;
  policy.mode = mode;
  policy.max_concurrent = (backend.slots * 5 + 3) / 4;
  return policy;
}

constexpr int kSeeds = 8;

/// The mean of several runs of 9 s, of which 2 s to 6 s count.
Outcome steady_at(double load, const Policy& policy, const Backend& backend, int seeds = kSeeds) {
  return mean_of(seeds, [&](std::uint64_t seed) {
    Simulation simulation(policy, backend, seed);
    simulation.add(steady(0, load * backend.capacity()));
    simulation.run_until(9);
    if (policy.mode == Mode::enforce) CHECK(simulation.most_in_flight <= backend.slots);
    return outcome_of(simulation, backend.capacity(), 2, 6);
  });
}

TEST_CASE("an API that serves some ten requests per second stays under standing overload as long as it lasts") {
  // Were there too few places, slots would be found free by chance, and the oldest would be served first again: after
  // almost as long as a client waits.
  const Backend backend = backend_of(8, true, 0.100);
  const Policy policy = policy_for(backend);
  for (const double load : {1.5, 2.0, 5.0}) {
    CAPTURE(load);
    const Outcome outcome = mean_of(kSeeds, [&](std::uint64_t seed) {
      Simulation simulation(policy, backend, seed);
      simulation.add(steady(0, load * backend.capacity()));
      simulation.run_until(30);
      return outcome_of(simulation, backend.capacity(), 8, 28);
    });
    CHECK(outcome.goodput >= 0.97);
    CHECK(outcome.p99_answered <= 600);  // of the service alone it is 461
  }
}

TEST_CASE(
    "under standing overload goodput is full, admitted requests have normal latency, and the rest is told at once" *
    doctest::test_suite("long")) {
  for (const bool exponential : {false, true}) {
    const Backend backend = backend_of(10, exponential);
    const Policy policy = policy_for(backend);
    const double calm = steady_at(0.5, policy, backend).p99_answered;
    struct Row {
      double load, p99_refused;
    };
    for (const Row& row : {Row{2, 50}, Row{5, 15}, Row{10, 15}}) {
      CAPTURE(exponential);
      CAPTURE(row.load);
      const Outcome outcome = steady_at(row.load, policy, backend);
      CHECK(outcome.goodput >= 0.975);
      CHECK(outcome.p99_answered <= (exponential ? 1.06 : 1.4) * calm);  // fixed: 12 ms, and up to 5 ms of waiting
      CHECK(outcome.p99_refused <= row.p99_refused);
    }
  }
}

TEST_CASE("at 1.2 of capacity neither those who are served nor those who are refused wait long") {
  for (const Backend& backend : {backend_of(10, false), backend_of(10, true), bimodal()}) {
    const Outcome outcome = steady_at(1.2, policy_for(backend), backend);
    CHECK(outcome.goodput >= 0.97);
    CHECK(outcome.p99_answered <= 150);
    CHECK(outcome.p99_refused <= 200);
  }
}

TEST_CASE("at capacity the queue answers as many as no proxy, and no later" * doctest::test_suite("long")) {
  constexpr int kMany = 32;  // whether a queue at a load of 1 looks like overload is chance
  struct Row {
    Backend backend;
    double hand_over;  // part of a service that a slot is idle after it; without a proxy the next request is there
    double lost;       // part of the requests
  };
  for (Row row :
       {Row{backend_of(10, false), 0, 0.005}, Row{backend_of(10, true), 0, 0.01}, Row{bimodal(), 0, 0.02},
        Row{backend_of(10, false), 0.007, 0.01}, Row{backend_of(10, true), 0.007, 0.02}, Row{bimodal(), 0.007, 0.02}}) {
    CAPTURE(row.hand_over);
    CAPTURE(row.lost);
    const Outcome direct = steady_at(1, policy_for(row.backend, Mode::off), row.backend, kMany);
    row.backend.hand_over = row.hand_over * row.backend.service;
    const Outcome outcome = steady_at(1, policy_for(row.backend), row.backend, kMany);
    CHECK(outcome.answered >= direct.answered - row.lost);
    CHECK(outcome.p99_answered <= 1.1 * direct.p99_answered);
  }
}

TEST_CASE("up to 0.8 of capacity no request is refused" * doctest::test_suite("long")) {
  struct Row {
    Backend backend;
    int refused;  // of 80,000: by chance some of a slow API would wait longer than `max_wait`
  };
  for (const Row& row : {Row{backend_of(10, true), 0}, Row{bimodal(), 0}, Row{backend_of(10, false, 0.2), 0},
                         Row{backend_of(10, true, 0.2), 25}, Row{backend_of(60, false, 2), 8}}) {
    CAPTURE(row.backend.service);
    Simulation simulation(policy_for(row.backend), row.backend, 3);
    simulation.add(steady(0, 0.8 * row.backend.capacity()));
    simulation.run_until(100'000 / row.backend.capacity());
    int refused = 0;
    for (const Record& record : simulation.records) refused += record.refused;
    CHECK(refused <= row.refused);
  }
}

TEST_CASE("APIs of other sizes and speeds are kept busy, too" * doctest::test_suite("long")) {
  for (const Backend& backend : {backend_of(10, true, 0.002), backend_of(50, true), backend_of(10, false, 0.2),
                                 backend_of(60, false, 2), backend_of(60, true, 2)}) {
    CAPTURE(backend.slots);
    CAPTURE(backend.service);
    const double unit = std::max(1.0, 5 * backend.service);
    for (const double load : {1.2, 2.0, 5.0}) {
      CAPTURE(load);
      Simulation simulation(policy_for(backend), backend, 7);
      simulation.add(steady(0, load * backend.capacity()));
      simulation.run_until(10 * unit);
      double answered = 0;
      for (const Record& record : simulation.records) {
        answered += record.answered && record.ended >= 2 * unit && record.ended < 8 * unit;
      }
      CHECK(answered / (6 * unit * backend.capacity()) >= 0.96);
    }
  }
}

TEST_CASE("when the API becomes half as fast, the queue follows within a second") {
  for (Backend backend : {backend_of(10, false), backend_of(10, true)}) {
    backend.slowness = [](double t) { return t < 4 ? 1 : 2; };
    Simulation simulation(policy_for(backend), backend, 3);
    simulation.add(steady(0, 0.8 * backend.capacity()));
    simulation.run_until(12);
    const Outcome outcome = outcome_of(simulation, backend.capacity(), 5, 9);
    CHECK(outcome.goodput >= 0.97 * 0.5);
    CHECK(outcome.p99_answered <= 150);
    CHECK(outcome.p99_refused <= 150);
  }
}

TEST_CASE("when a standing overload ends, nobody is refused any more") {
  const Backend backend = backend_of(10, true);
  Simulation simulation(policy_for(backend), backend, 3);
  simulation.add({0, [&](double t) { return (t < 4 ? 5 : 0.7) * backend.capacity(); }, 5 * backend.capacity()});
  simulation.run_until(20);
  for (const Record& record : simulation.records) {
    if (record.arrived > 4.3) REQUIRE_FALSE(record.refused);
  }
}

TEST_CASE("at 5x a better class always succeeds more often, and the best class is not affected") {
  constexpr int kNormal = 0, kCritical = 1, kBackground = 2;
  const Backend backend = backend_of(50, true);
  Policy policy;
  policy.max_concurrent = 50;
  policy.classes = {{"normal", 1.0},
                    {"critical", 1.0},
                    {"background", 0.98}};  // the default class comes after classes of the same share
  const auto run_mix = [&](double load, double of_normal) {
    Simulation simulation(policy, backend, 9);
    const double rate = load * backend.capacity();
    simulation.add(steady(kCritical, 0.10 * rate));
    simulation.add(steady(kNormal, of_normal * rate));
    simulation.add(steady(kBackground, 0.20 * rate));
    simulation.run_until(5);
    return std::move(simulation.records);
  };
  const auto critical = [](const Record& r) { return r.class_index == kCritical && r.answered && r.arrived >= 1; };
  for (const double of_normal : {0.70, 0.06}) {
    const std::deque<Record> calm = run_mix(0.5, of_normal), mix = run_mix(5, of_normal);
    double arrived[3] = {}, answered[3] = {}, goodput = 0;
    for (const Record& record : mix) {
      if (record.arrived < 1 || record.arrived > 4.9) continue;
      ++arrived[record.class_index];
      if (record.answered) ++answered[record.class_index], ++goodput;
    }
    CHECK(answered[kCritical] >= 0.999 * arrived[kCritical]);
    CHECK(answered[kCritical] / arrived[kCritical] >= answered[kNormal] / arrived[kNormal]);
    CHECK(answered[kNormal] / arrived[kNormal] > answered[kBackground] / arrived[kBackground]);
    CHECK(goodput >= 0.97 * 3.9 * backend.capacity());
    CHECK(latency_quantile(mix, 0.99, critical) <= 1.1 * latency_quantile(calm, 0.99, critical));
  }
}

TEST_CASE("a burst of a better class waits its turn while worse classes are under standing overload") {
  constexpr int kNormal = 0, kCritical = 1;
  const Backend backend = backend_of(10, true);
  Policy policy;
  policy.max_concurrent = 10;
  policy.classes = {{"normal", 1.0}, {"critical", 1.0}};
  Simulation simulation(policy, backend, 5);
  simulation.add(steady(kNormal, 5 * backend.capacity()));
  simulation.add({kCritical, [&](double t) { return (t >= 3 && t < 3.2 ? 4 : 0.1) * backend.capacity(); },
                  4 * backend.capacity()});
  simulation.run_until(8);
  for (const Record& record : simulation.records) {
    if (record.class_index == kCritical) CHECK_FALSE(record.refused);
    if (record.class_index == kNormal && record.arrived > 2 && record.arrived < 7) CHECK(record.latency() < 0.5);
  }
}

TEST_CASE("a greedy client is refused first, but may use the slots that others leave free") {
  struct Row {
    double normal_each, greedy;  // of capacity
    double share;
    int slots = 50;
    double goodput = 0.95;
  };
  // 20 normal clients and a greedy one, which sends as much as all capacity, or 20 times as much as each of them.
  for (const Row& row : {Row{0.02, 20, 0.5}, Row{0.04, 20, 0.5}, Row{0.04, 0.8, 0.2}, Row{0.04, 0.8, 0.5},
                         Row{0.01, 8, 0.5, 10, 0.96}, Row{0.02, 8, 0.5, 10, 0.96}}) {
    CAPTURE(row.normal_each);
    CAPTURE(row.greedy);
    CAPTURE(row.share);
    const Backend backend = backend_of(row.slots, true);
    Policy policy;
    policy.max_concurrent = row.slots;
    policy.classes = {{"normal", 1.0}};
    policy.fairness.share = row.share;
    Simulation simulation(policy, backend, 4);
    for (std::uint64_t key = 1; key <= 21; ++key) {
      Source source = steady(0, (key == 21 ? row.greedy : row.normal_each) * backend.capacity());
      source.key = key * 0x9e3779b97f4a7c15;
      simulation.add(source);
    }
    simulation.run_until(6);
    double normal = 0, normal_answered = 0, goodput = 0;
    for (const Record& record : simulation.records) {
      if (record.arrived < 1 || record.arrived > 5.9) continue;
      goodput += record.answered;
      if (record.key == 21 * 0x9e3779b97f4a7c15) continue;
      ++normal;
      normal_answered += record.answered;
    }
    CAPTURE(normal_answered / normal);
    CAPTURE(goodput / (4.9 * backend.capacity()));
    CHECK(normal_answered >= 0.995 * normal);
    CHECK(goodput >= row.goodput * 4.9 * backend.capacity());
  }
}

TEST_CASE("half a second after a stall of 3 s at 0.8x everything is normal") {
  Backend backend = backend_of(50, false);
  // A request that arrives during the stall takes until its end.
  backend.slowness = [service = backend.service](double t) { return t >= 2 && t < 5 ? 1 + (5 - t) / service : 1; };
  Simulation simulation(policy_for(backend), backend, 5);
  simulation.add(steady(0, 0.8 * backend.capacity()));
  simulation.run_until(8);
  double after = 0, in_time = 0;
  for (const Record& record : simulation.records) {
    if (record.arrived < 5.5 || record.arrived > 6.5) continue;
    ++after;
    if (record.answered && record.latency() <= 0.1) ++in_time;
  }
  CHECK(in_time >= 0.95 * after);
}

TEST_CASE("of requests with a deadline, nine of ten that go on to the API are answered in time") {
  for (const Backend& backend : {backend_of(10, false), backend_of(10, true), bimodal()}) {
    for (const double load : {0.9, 1.1, 2.0}) {
      CAPTURE(load);
      Simulation simulation(policy_for(backend), backend, 3);
      Source source = steady(0, load * backend.capacity());
      source.deadline = 0.060;
      simulation.add(source);
      simulation.run_until(20);
      double answered = 0, in_time = 0;
      for (const Record& record : simulation.records) {
        answered += record.answered;
        in_time += record.answered && record.latency() <= source.deadline;
      }
      CHECK(in_time >= 0.9 * answered);
      CHECK(in_time >= (load < 1 ? 0.8 : 0.7) * 20 * backend.capacity());
    }
  }
}

}  // namespace
