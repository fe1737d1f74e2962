// Which bursts the queue keeps, in simulated time: 10 slots of 10 ms, clients that wait for 1 s, and the default
// configuration, except for `max_concurrent`: 13 leaves 10 slots to ordinary requests.
#include <string>

#include <doctest/doctest.h>

#include "tests/unit/admission/outcome.hpp"

namespace {

using namespace spillway::admission;
using namespace spillway::admission::simulation;

constexpr double kCapacity = 1000;
constexpr int kSeeds = 8;

/// What the time of a service is drawn from: its mean and a number from 0 to 1.
struct Service {
  std::string name;
  double (*draw)(double mean, double uniform);
};
const Service kServices[] = {
    {"fixed", [](double mean, double uniform) { return mean * (0.95 + 0.1 * uniform); }},
    {"exponential", [](double mean, double uniform) { return -mean * std::log(uniform); }},
    {"bimodal", [](double mean, double uniform) { return mean * (uniform < 0.9 ? 0.5 : 5.5); }},
};

/// The part of capacity at which requests arrive, by seconds since the start.
using Load = double (*)(double t);
/// How long a service takes, by how long it would take and the seconds since the start.
using Disturbance = double (*)(double service, double t);

double undisturbed(double service, double /*t*/) {
  return service;
}

/// The mean of several runs, of the requests that arrive from `from` to `to`.
Outcome outcome_of(const Service& service, Load load, Disturbance disturbed, double from, double to) {
  return mean_of(kSeeds, [&](std::uint64_t seed) {
    Policy policy;
    policy.max_concurrent = 13;
    Backend backend;
    backend.draw = [&](double each, double uniform, double t) { return disturbed(service.draw(each, uniform), t); };
    Simulation simulation(policy, backend, seed);
    simulation.add({0, [&](double t) { return load(t) * kCapacity; }, 5 * kCapacity});
    simulation.run_until(to + 2);
    return outcome_of(simulation, kCapacity, from, to);
  });
}

double one_burst(double t) {
  return t >= 2 && t < 2.2 ? 5 : 0.5;
}

TEST_CASE("the queue absorbs bursts and waves that the API can serve in time" * doctest::test_suite("long")) {
  struct Row {
    std::string name;
    Load load;
    double from, to;
    double answered;
  };
  const Row rows[] = {
      {"one of 200 ms at 5x", one_burst, 2, 2.2, 0.99},
      {"one every 2 s", [](double t) { return std::fmod(t, 2) < 0.2 ? 5 : 0.3; }, 2, 18, 0.995},
      {"waves of 0.4 s", [](double t) { return std::fmod(t, 0.8) < 0.4 ? 1.7 : 0.2; }, 2, 18, 0.999},
  };
  for (const Row& row : rows) {
    for (const Service& service : kServices) {
      CAPTURE(row.name);
      CAPTURE(service.name);
      CHECK(outcome_of(service, row.load, undisturbed, row.from, row.to).answered >= row.answered);
    }
  }
}

TEST_CASE("a burst is kept whole although something disturbs the API as it begins") {
  // The first count of what the API serves is then far too low, and so is what the service time says.
  struct Row {
    std::string name;
    Disturbance disturbed;
  };
  const Row rows[] = {
      {"60 % for 100 ms", [](double s, double t) { return t >= 2 && t < 2.1 ? s / 0.6 : s; }},
      {"60 % for 150 ms", [](double s, double t) { return t >= 2 && t < 2.15 ? s / 0.6 : s; }},
      {"60 % from before on", [](double s, double t) { return t >= 1.95 && t < 2.1 ? s / 0.6 : s; }},
      {"a stall of 40 ms", [](double s, double t) { return t >= 2.03 && t < 2.07 ? s + 2.07 - t : s; }},
      {"a stall of 100 ms", [](double s, double t) { return t >= 2 && t < 2.1 ? s + 2.1 - t : s; }},
      {"faster for 100 ms", [](double s, double t) { return t >= 2 && t < 2.1 ? s / 1.6 : s; }},
      {"slower before it", [](double s, double t) { return t < 2 ? s / 0.7 : s; }},
  };
  for (const Row& row : rows) {
    for (const Service& service : kServices) {
      CAPTURE(row.name);
      CAPTURE(service.name);
      CHECK(outcome_of(service, one_burst, row.disturbed, 2, 2.2).answered >= 0.97);
    }
  }
}

TEST_CASE("each of many bursts is kept whole although each is disturbed" * doctest::test_suite("long")) {
  const Load load = [](double t) { return std::fmod(t, 2) < 0.2 ? 5 : 0.3; };
  const Disturbance disturbed = [](double s, double t) { return std::fmod(t, 2) < 0.1 ? s / 0.6 : s; };
  for (const Service& service : kServices) {
    CAPTURE(service.name);
    CHECK(outcome_of(service, load, disturbed, 2, 18).answered >= 0.99);
  }
}

TEST_CASE("a burst is kept whole although the API was slow some seconds ago") {
  // What was counted then says nothing about now.
  const Load load = [](double t) { return t >= 8.5 && t < 8.7 ? 5 : 0.5; };
  const Disturbance disturbed = [](double s, double t) { return t >= 2 && t < 6 ? 5 * s : s; };
  for (const Service& service : kServices) {
    CAPTURE(service.name);
    CHECK(outcome_of(service, load, disturbed, 8.5, 8.7).answered >= 0.97);
  }
}

TEST_CASE("standing overload is told soon although something disturbs the API as it begins") {
  struct Row {
    std::string name;
    Disturbance disturbed;
  };
  const Row rows[] = {
      {"60 % for 150 ms", [](double s, double t) { return t >= 2 && t < 2.15 ? s / 0.6 : s; }},
      {"faster for 150 ms", [](double s, double t) { return t >= 2 && t < 2.15 ? s / 1.6 : s; }},
      {"faster before it", [](double s, double t) { return t < 2 ? s / 1.4 : s; }},
  };
  for (const Row& row : rows) {
    for (const Service& service : kServices) {
      CAPTURE(row.name);
      CAPTURE(service.name);
      const Load load = [](double t) { return t < 2 ? 0.5 : 1.2; };
      const Outcome outcome = outcome_of(service, load, row.disturbed, 2, 6);
      CHECK(outcome.goodput >= 0.95);  // less what the disturbance takes
      CHECK(outcome.p99_answered <= 200);
      CHECK(outcome.p99_refused <= 200);
    }
  }
}

}  // namespace
