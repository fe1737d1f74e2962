#include "proxy/admission/limit.hpp"

#include <cmath>

#include <doctest/doctest.h>

#include "tests/unit/admission/simulation.hpp"

namespace {

using namespace spillway::admission;
using namespace spillway::admission::simulation;
using namespace std::chrono_literals;

constexpr int kMin = 4;

/// Finds the capacity of an API below a maximum that is ten times too high.
struct Search {
  Search(Backend api, double load, std::uint64_t seed)
      : backend(std::move(api)), simulation(policy(backend, true), backend, seed) {
    simulation.add(steady(0, load * backend.capacity()));
    simulation.on_tick = [this](double) {
      lowest = std::min(lowest, limit());
      highest = std::max(highest, limit());
    };
  }
  static Policy policy(const Backend& backend, bool adaptive) {
    Policy policy;
    policy.max_concurrent = adaptive ? 10 * backend.slots : backend.slots;
    policy.adaptive = {.enabled = adaptive, .min = kMin};
    policy.classes = {{"normal", 1.0}};
    policy.queue.max_length = 10 * backend.slots;
    return policy;
  }
  int limit() const { return simulation.controller.limit(); }
  /// Answers per second between two times.
  double goodput(double from, double to) const { return goodput_of(simulation, from, to); }
  static double goodput_of(const Simulation& simulation, double from, double to) {
    double answered = 0;
    for (const Record& record : simulation.records)
      answered += record.answered && record.ended >= from && record.ended < to;
    return answered / (to - from);
  }
  double refused() const {
    double count = 0;
    for (const Record& record : simulation.records) count += record.refused;
    return count;
  }

  Backend backend;
  Simulation simulation;
  int lowest = 1 << 30, highest = 0;
};

TEST_CASE("a fixed limit is the configured one") {
  Limit limit({.enabled = false, .min = kMin}, 100);
  limit.kept_waiting(spillway::Time{});
  for (int i = 0; i < 1000; ++i) limit.learn(0, seconds(i), spillway::Time{} + seconds(i));
  CHECK(limit.value() == 100);
  limit.configure({.enabled = false, .min = kMin}, 50);
  CHECK(limit.value() == 50);
}

TEST_CASE("at the start a first window of short calls does not make the second one a queue") {
  struct Row {
    double longer;  // logarithm of how much the calls of the second window take longer
    int limit;      // after it
  };
  for (const Row& row : {Row{1.25, 40}, Row{2.0, 40}, Row{3.0, 4}}) {
    CAPTURE(row.longer);
    Limit limit({.enabled = true, .min = kMin}, 1000);
    auto now = spillway::Time{} + 1h;
    const auto answers = [&](int count, double typical) {
      for (int i = 0; i < count; ++i, now += 60ms) {
        limit.kept_waiting(now);
        limit.learn(0, seconds(typical * std::exp(i % 2 == 0 ? 0.8 : -0.8)), now);
      }
    };
    answers(20, 0.2);
    REQUIRE(limit.value() == 20);
    answers(20, 0.2 * std::exp(row.longer));
    CHECK(limit.value() == row.limit);
  }
}

TEST_CASE("for an API that slows down with its queue, the learned limit is as good as the best fixed one within 10 s" *
          doctest::test_suite("long")) {
  for (const int slots : {10, 50, 200}) {
    for (const bool exponential : {false, true}) {
      for (const double load : {1.3, 5.0}) {
        if (slots == 200 && (load > 2 || !exponential)) continue;  // too many events for nothing new
        CAPTURE(slots);
        CAPTURE(exponential);
        CAPTURE(load);
        // If the limit stayed at its maximum, the queue inside the API would make latency 2.8 times as high.
        const Backend backend{.slots = slots, .exponential = exponential, .slowdown = 0.2 / slots};
        Search search(backend, load, 5);
        search.simulation.run_until(25);
        // Every slot is busy and nothing queues inside the API: no fixed limit is better.
        Simulation best(Search::policy(backend, false), backend, 5);
        best.add(steady(0, load * backend.capacity()));
        best.run_until(25);
        const double ratio = search.goodput(10, 25) / Search::goodput_of(best, 10, 25);
        CAPTURE(ratio);
        CHECK(ratio >= (exponential && slots == 10 ? 0.90 : 0.95));
      }
    }
  }
}

TEST_CASE("the limit does not drift in ten minutes of overload" * doctest::test_suite("long")) {
  Search search({.slots = 10, .exponential = true, .slowdown = 0.02}, 2.0, 6);
  search.simulation.run_until(600);
  const double first = search.goodput(10, 60);
  for (double minute = 1; minute < 10; ++minute) {
    CAPTURE(minute);
    CHECK(search.goodput(60 * minute, 60 * minute + 60) >= 0.97 * first);
  }
}

TEST_CASE("below 0.8 of capacity no request is refused for the sake of learning") {
  for (const int slots : {10, 50}) {
    CAPTURE(slots);
    Search search({.slots = slots, .exponential = true}, 0.8, 7);
    search.simulation.run_until(100'000 / (0.8 * search.backend.capacity()) * 1.01);
    CHECK(search.simulation.records.size() > 100'000);
    CHECK(search.refused() == 0);
  }
}

TEST_CASE("the limit does not change while the API is idle") {
  Search search({.slots = 50}, 0.1, 8);
  search.simulation.run_until(60);
  CHECK(search.lowest == 20);
  CHECK(search.highest == 20);
}

TEST_CASE("the limit follows an API that becomes slower or faster under load" * doctest::test_suite("long")) {
  struct Row {
    const char* what;
    double (*slowness)(double t);
    double settled;  // seconds
  };
  for (const Row& row : {Row{"twice as slow at once", [](double t) { return t < 15 ? 1.0 : 2.0; }, 25},
                         Row{"three times as slow within 30 s",
                             [](double t) { return 1 + 2 * std::clamp((t - 10) / 30, 0.0, 1.0); }, 45},
                         Row{"twice as fast at once", [](double t) { return t < 15 ? 1.0 : 0.5; }, 25}}) {
    CAPTURE(row.what);
    Search search({.slots = 50, .exponential = true, .slowdown = 0.004, .slowness = row.slowness}, 3.0, 9);
    search.simulation.run_until(row.settled + 20);
    const double capacity = search.backend.capacity() / row.slowness(row.settled);
    CHECK(search.goodput(row.settled, row.settled + 20) >= 0.94 * std::min(capacity, 3 * search.backend.capacity()));
  }
}

TEST_CASE("a limit that was cut too far recovers") {
  // A tenfold latency looks like a tenfold queue, until a smaller limit turns out not to help.
  Search search({.slots = 50, .slowness = [](double t) { return t < 10 ? 0.1 : 1.0; }}, 1.5, 10);
  search.simulation.run_until(10);
  search.lowest = search.limit();
  search.simulation.run_until(60);
  CAPTURE(search.lowest);
  CHECK(search.lowest <= 20);
  CHECK(search.goodput(50, 60) >= 0.94 * search.backend.capacity());
}

TEST_CASE("if the maximum is the best limit, it is found and kept, wherever doubling meets it") {
  for (const int slots : {10, 30, 50, 64}) {
    CAPTURE(slots);
    Backend backend{.slots = slots};
    Policy policy = Search::policy(backend, true);
    policy.max_concurrent = slots;
    Simulation simulation(policy, backend, 12);
    simulation.add(steady(0, 2 * backend.capacity()));
    simulation.run_until(12);
    CHECK(Search::goodput_of(simulation, 2, 12) >= 0.97 * backend.capacity());
  }
}

TEST_CASE("the limit leaves its minimum again" * doctest::test_suite("long")) {
  for (const int min : {1, 4}) {
    CAPTURE(min);
    Search search({.slots = 50}, 1.5, 11);
    Policy normal = Search::policy(search.backend, true);
    normal.adaptive.min = min;
    Policy floor = normal;
    floor.max_concurrent = min;
    search.simulation.controller.configure(floor, spillway::Time{});
    search.simulation.run_until(10);
    CHECK(search.limit() == min);
    search.simulation.controller.configure(normal, spillway::Time{} + 10s);
    search.simulation.run_until(50);
    CHECK(search.goodput(40, 50) >= 0.95 * search.backend.capacity());
  }
}

}  // namespace
