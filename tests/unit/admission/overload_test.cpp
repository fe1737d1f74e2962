// Asserts on the pure controller, in simulated time, what the overload lab measures on the real proxy.
#include <doctest/doctest.h>

#include "tests/unit/admission/simulation.hpp"

namespace {

using namespace spillway::admission;
using namespace spillway::admission::simulation;
using namespace std::chrono_literals;

constexpr double kService = 0.010;

Backend backend_of(int slots, bool exponential) {
  return {.slots = slots, .service = kService, .exponential = exponential};
}

Policy policy_of(int slots, int queue_per_slot) {
  Policy policy;
  policy.max_concurrent = slots;
  policy.classes = {{"normal", 1.0}};
  policy.queue.max_length = queue_per_slot * slots;
  return policy;
}

struct Outcome {
  double goodput = 0;  // of capacity
  double refused = 0;  // of requests
  double p99_answered = 0, p99_refused = 0;
};

constexpr double kWarmUp = 1, kMeasured = 3;

Outcome run_at(double load, const Policy& policy, const Backend& backend) {
  Simulation simulation(policy, backend, 42);
  simulation.add(steady(0, load * backend.capacity()));
  simulation.run_until(kWarmUp + kMeasured);
  if (policy.mode == Mode::enforce) CHECK(simulation.most_in_flight <= policy.max_concurrent);
  Outcome outcome;
  double all = 0;
  for (const Record& record : simulation.records) {
    if (record.ended >= kWarmUp && record.answered) outcome.goodput += 1 / (kMeasured * backend.capacity());
    if (record.arrived < kWarmUp) continue;
    ++all;
    if (record.refused) ++outcome.refused;
  }
  outcome.refused /= all;
  outcome.p99_answered =
      latency_quantile(simulation.records, 0.99, [](const Record& r) { return r.answered && r.arrived >= kWarmUp; });
  // Count from the start: early decisions must be right, too.
  outcome.p99_refused = latency_quantile(simulation.records, 0.99, [](const Record& r) { return r.refused; });
  return outcome;
}

TEST_CASE(
    "under standing overload goodput is full, admitted requests have normal latency, and the rest is refused early") {
  for (const int slots : {10, 50}) {
    for (const bool exponential : {false, true}) {
      const Backend backend = backend_of(slots, exponential);
      for (const int queue_per_slot : {10, 100}) {
        const Policy policy = policy_of(slots, queue_per_slot);
        const Outcome normal = run_at(0.5, policy, backend);
        CHECK(normal.refused == 0);
        for (const double load : {2.0, 5.0, 10.0}) {
          CAPTURE(slots);
          CAPTURE(exponential);
          CAPTURE(queue_per_slot);
          CAPTURE(load);
          const Outcome outcome = run_at(load, policy, backend);
          CHECK(outcome.goodput >= 0.97);
          CHECK(outcome.p99_answered <= 1.5 * normal.p99_answered);
          CHECK(outcome.p99_refused <= in_seconds(policy.queue.max_wait) + 0.011);
          if (load == 10) CHECK(outcome.p99_refused <= (queue_per_slot == 10 ? 0.020 : 0.150));
        }
      }
    }
  }
}

TEST_CASE("with a fast API the queue does not switch back and forth between the two orders") {
  // 10 slots of 2 ms and 100 places: newest first, a full queue evicts its oldest request after 2 ms already.
  const Backend backend{.slots = 10, .service = 0.002};
  const Policy policy = policy_of(10, 10);
  const Outcome normal = run_at(0.5, policy, backend);
  const Outcome outcome = run_at(10, policy, backend);
  CHECK(outcome.p99_answered <= 1.5 * normal.p99_answered);
  CHECK(outcome.goodput >= 0.97);
}

TEST_CASE("up to 0.8 of capacity no request is refused") {
  const Backend backend = backend_of(10, true);
  Simulation simulation(policy_of(10, 10), backend, 3);
  simulation.add(steady(0, 0.8 * backend.capacity()));
  simulation.run_until(126);
  CHECK(simulation.records.size() > 100'000);
  for (const Record& record : simulation.records) REQUIRE_FALSE(record.refused);
}

TEST_CASE("at capacity the queue costs no goodput") {
  for (const bool exponential : {false, true}) {
    const Backend backend = backend_of(50, exponential);
    Policy no_proxy = policy_of(50, 0);
    no_proxy.mode = Mode::off;
    CHECK(run_at(1.0, policy_of(50, 100), backend).goodput >= run_at(1.0, no_proxy, backend).goodput - 0.02);
  }
}

TEST_CASE("the queue absorbs a burst of 200 ms at 5x on top of 0.5x") {
  for (const int slots : {10, 50}) {
    double sum = 0;
    constexpr int kBursts = 10;
    for (int seed = 1; seed <= kBursts; ++seed) {
      const Backend backend = backend_of(slots, seed % 2 == 0);
      const double begin = 1 + 0.01 * seed, end = begin + 0.2;
      Simulation simulation(policy_of(slots, 100), backend, static_cast<std::uint64_t>(seed));
      simulation.add({0, [=](double t) { return (t >= begin && t < end ? 5 : 0.5) * backend.capacity(); },
                      5 * backend.capacity()});
      simulation.run_until(4);
      double burst = 0, in_time = 0;
      for (const Record& record : simulation.records) {
        if (record.arrived < begin || record.arrived >= end) continue;
        ++burst;
        if (record.answered && record.latency() <= 1) ++in_time;
      }
      CHECK(in_time / burst >= 0.60);
      sum += in_time / burst;
    }
    CHECK(sum / kBursts >= 0.65);
  }
}

TEST_CASE("at 5x a better class always succeeds more often, and the best class is not affected") {
  constexpr int kNormal = 0, kCritical = 1, kBackground = 2;
  const Backend backend = backend_of(50, true);
  Policy policy = policy_of(50, 10);
  policy.classes = {{"normal", 1.0},
                    {"critical", 1.0},
                    {"background", 0.98}};  // the default class comes after classes of the same share
  const auto run_mix = [&](double load) {
    Simulation simulation(policy, backend, 9);
    const double rate = load * backend.capacity();
    simulation.add(steady(kCritical, 0.10 * rate));
    simulation.add(steady(kNormal, 0.70 * rate));
    simulation.add(steady(kBackground, 0.20 * rate));
    simulation.run_until(5);
    return std::move(simulation.records);
  };
  const auto critical = [](const Record& r) {
    return r.class_index == kCritical && r.answered && r.arrived >= kWarmUp;
  };
  const std::deque<Record> calm = run_mix(0.5), mix = run_mix(5);
  double arrived[3] = {}, answered[3] = {}, goodput = 0;
  for (const Record& record : mix) {
    if (record.arrived < kWarmUp || record.arrived > 4.9) continue;
    ++arrived[record.class_index];
    if (record.answered) ++answered[record.class_index], ++goodput;
  }
  CHECK(answered[kCritical] >= 0.999 * arrived[kCritical]);
  CHECK(answered[kCritical] / arrived[kCritical] > answered[kNormal] / arrived[kNormal]);
  CHECK(answered[kNormal] / arrived[kNormal] > answered[kBackground] / arrived[kBackground]);
  CHECK(goodput >= 0.97 * 3.9 * backend.capacity());
  CHECK(latency_quantile(mix, 0.99, critical) <= 1.1 * latency_quantile(calm, 0.99, critical));
}

TEST_CASE("a greedy client is refused first, but may use the slots that others leave free") {
  struct Row {
    double normal_each, greedy;  // of capacity
    double share;
  };
  // 20 normal clients and a greedy one, which sends as much as all capacity, or 20 times as much as each of them.
  for (const Row& row : {Row{0.02, 20, 0.5}, Row{0.04, 20, 0.5}, Row{0.04, 0.8, 0.2}, Row{0.04, 0.8, 0.5}}) {
    CAPTURE(row.normal_each);
    CAPTURE(row.greedy);
    CAPTURE(row.share);
    const Backend backend = backend_of(50, true);
    Policy policy = policy_of(50, 10);
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
    CHECK(goodput >= 0.95 * 4.9 * backend.capacity());
  }
}

TEST_CASE("half a second after a stall of 3 s at 0.8x everything is normal") {
  Backend backend = backend_of(50, false);
  // A request that arrives during the stall takes until its end.
  backend.slowness = [](double t) { return t >= 2 && t < 5 ? 1 + (5 - t) / kService : 1; };
  Simulation simulation(policy_of(50, 100), backend, 5);
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

}  // namespace
