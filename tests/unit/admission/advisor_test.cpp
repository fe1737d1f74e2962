// What live traffic tells of the API's capacity.
#include "proxy/admission/advisor.hpp"

#include <cmath>
#include <numbers>

#include <doctest/doctest.h>

#include "proxy/admission/advice.hpp"
#include "tests/unit/admission/simulation.hpp"

namespace {

using namespace spillway::admission;
using namespace spillway::admission::simulation;

double bimodal(double mean, double uniform, double /*now*/) {
  return uniform < 0.9 ? mean * 0.5 : mean * 5.5;
}

/// Ten minutes in which the load goes from `least` of the capacity to `most` and back.
Advice after_ten_minutes(const Policy& policy, const Backend& backend, double least, double most) {
  Simulation simulation(policy, backend, 5);
  const auto load = [=](double t) {
    return least + (most - least) * (0.5 - 0.5 * std::cos(t / 300 * std::numbers::pi));
  };
  simulation.add(
      {.rate = [=](double t) { return load(t) * backend.capacity(); }, .max_rate = most * backend.capacity()});
  simulation.run_until(600);
  return simulation.controller.advisor().advice();
}

Policy policy_of(int max_concurrent, Mode mode) {
  Policy policy;
  policy.mode = mode;
  policy.max_concurrent = max_concurrent;
  return policy;
}

TEST_CASE("after ten minutes at 0.3 to 1.5 of the capacity the capacity is known within 15 %" *
          doctest::test_suite("long")) {
  for (const int slots : {10, 40}) {
    for (const Mode mode : {Mode::enforce, Mode::shadow}) {
      if (slots == 40 && mode == Mode::shadow) continue;  // shows nothing new, and takes seconds
      const Backend fixed{.slots = slots, .service = 0.020};
      const Backend exponential{.slots = slots, .service = 0.020, .exponential = true};
      const Backend two_modes{.slots = slots, .service = 0.020, .draw = bimodal};
      const Backend thrashing{.slots = slots, .service = 0.020, .slowdown = 0.02};
      const Backend database{.slots = slots, .service = 0.100, .exponential = true};
      for (const Backend& backend : {fixed, exponential, two_modes, thrashing, database}) {
        CAPTURE(slots);
        CAPTURE(name(mode));
        CAPTURE(backend.slowdown);
        const Advice advice = after_ten_minutes(policy_of(10 * slots, mode), backend, 0.3, 1.5);
        CHECK(advice.kind == Advice::Kind::found);
        CHECK(advice.slots == doctest::Approx(slots).epsilon(0.15));
        CHECK(advice.service == doctest::Approx(backend.service).epsilon(0.1));
        if (backend.slowdown > 0) CHECK(advice.thrashes);
      }
    }
  }
}

TEST_CASE("a limit at or below the capacity, or too little load, only tells that the API keeps up" *
          doctest::test_suite("long")) {
  const Backend backend{.slots = 40, .service = 0.020, .exponential = true};
  const Advice limited = after_ten_minutes(policy_of(25, Mode::enforce), backend, 0.3, 1.5);
  CHECK(limited.kind == Advice::Kind::at_least);
  CHECK(limited.slots == doctest::Approx(20).epsilon(0.05));
  const Advice idle = after_ten_minutes(policy_of(400, Mode::enforce), backend, 0.1, 0.4);
  CHECK(idle.kind == Advice::Kind::at_least);
  CHECK(idle.slots < 40);
}

TEST_CASE("a few answers say nothing") {
  Advisor advisor;
  CHECK(advisor.advice().kind == Advice::Kind::not_enough);
  spillway::Time now = spillway::Time{} + std::chrono::hours(1);
  for (int i = 0; i < 400; ++i) {
    advisor.passed(0, now);
    advisor.passed(1, now += std::chrono::milliseconds(5));
    advisor.answered(1);
  }
  CHECK(advisor.advice().kind == Advice::Kind::not_enough);
}

TEST_CASE("one load alone says nothing") {
  const Backend backend{.slots = 10, .service = 0.010, .exponential = true};
  Simulation simulation(policy_of(100, Mode::enforce), backend, 5);
  simulation.add(steady(0, 1.5 * backend.capacity()));
  simulation.run_until(60);
  Advisor late = simulation.controller.advisor();
  CHECK(late.advice().kind != Advice::Kind::at_least);
}

TEST_CASE("the advice follows an API that has become twice as fast" * doctest::test_suite("long")) {
  Backend backend{.slots = 10, .service = 0.020, .exponential = true};
  backend.slowness = [](double t) { return t < 600 ? 2 : 1; };
  Simulation simulation(policy_of(100, Mode::enforce), backend, 5);
  const auto load = [](double t) { return 0.8 - 0.6 * std::cos(t / 300 * std::numbers::pi); };
  simulation.add(
      {.rate = [&](double t) { return load(t) * backend.capacity(); }, .max_rate = 1.4 * backend.capacity()});
  simulation.run_until(3000);
  const Advice advice = simulation.controller.advisor().advice();
  CHECK(advice.slots == doctest::Approx(10).epsilon(0.15));
  CHECK(advice.service == doctest::Approx(0.020).epsilon(0.1));
}

TEST_CASE("the advice is three lines: what is seen, what to set, and the pool") {
  struct Row {
    Advice advice;
    Sizing now;
    std::array<std::string, 3> words;
  };
  const Advice found{.kind = Advice::Kind::found, .slots = 40, .most = 80, .throughput = 2000, .service = 0.020};
  Advice thrashing = found;
  thrashing.thrashes = true;
  const Advice at_least{.kind = Advice::Kind::at_least, .slots = 20, .most = 20, .throughput = 1000, .service = 0.0042};
  const Row rows[] = {
      {found,
       {100, 0.8, 0},
       {"The API works at full speed with 40 requests in flight: 2000 answers/s of 20 ms each; more in flight only "
        "wait "
        "inside it.",
        "Set max_concurrent: 50 with shed_at: 0.80, which leaves 40 slots to ordinary requests (now 100).",
        "The API reports no database pool."}},
      {thrashing,
       {52, 0.8, 50},
       {"The API works at full speed with 40 requests in flight: 2000 answers/s of 20 ms each; more in flight make it "
        "slower.",
        "max_concurrent: 52 fits.", "The database pool of 50 is enough for 40 requests in flight."}},
      {at_least,
       {25, 0.8, 20},
       {"The API keeps up with 20 requests in flight (4.2 ms each); its limit has not been seen.",
        "Raise max_concurrent (now 25) under load, or watch with mode: shadow, until throughput stops growing.",
        "The database pool of 20 is as large as what the API does at a time: it may be what limits it."}},
      {at_least,
       {100, 0.8, 5},
       {"The API keeps up with 20 requests in flight (4.2 ms each); its limit has not been seen.",
        "Not less than max_concurrent: 25 with shed_at: 0.80 (now 100); more load will show how much it holds.",
        "The database pool of 5 is smaller than the 20 requests in flight: enough if not all of them need it."}},
      {{},
       {100, 0.8, 50},
       {"The traffic does not show yet what the API can do: that takes answers at low and at high load.",
        "Keep max_concurrent at 100 for now.", "The database pool of 50 cannot be judged yet."}},
  };
  for (const Row& row : rows) {
    const auto words = in_words(row.advice, row.now);
    for (std::size_t line = 0; line < words.size(); ++line) CHECK(words[line] == row.words[line]);
  }
}

TEST_CASE("before the first request nothing is advised") {
  CHECK(Advisor().advice().most == 0);
}

}  // namespace
