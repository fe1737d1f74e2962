// Many sidecars in simulation: `make fleet`. Prints one row for each fleet. SCENARIOS=balance,tasks,database,loss;
// MOST=10000 replicas at most.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tests/bench/fleet/fleet.hpp"

namespace {

using fleet::Balancing;
using fleet::Outcome;
using fleet::Shape;

constexpr std::uint64_t kSeed = 1;
constexpr double kWarmUp = 3;         ///< seconds
constexpr double kCallsPerRow = 4e6;  ///< about; so that a row takes seconds
constexpr double kShedAt = 0.80;
constexpr int kNeverFull = 200;  ///< longer than any queue gets; the tables of 10,000 controllers are small by it

constexpr double kSizes[] = {1, 10, 100, 1000, 10'000};

std::string_view name(Balancing balancing) {
  switch (balancing) {
    case Balancing::round_robin:
      return "round robin";
    case Balancing::least_request:
      return "least request";
    case Balancing::random_two:
      break;
  }
  return "random two";
}

/// As the sizing guide says: ordinary requests get `slots` of the limit.
fleet::admission::Policy policy_for(int slots) {
  fleet::admission::Policy policy;
  policy.max_concurrent = static_cast<int>(std::ceil(slots / kShedAt));
  policy.queue.max_length = kNeverFull;
  return policy;
}

double per_replica(const Shape& shape) {
  return shape.slots / shape.service;
}

double quantile(std::vector<double>& values, double q) {
  if (values.empty()) return 0;
  const auto nth = values.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), nth, values.end());
  return *nth;
}

/// Jain's index: 1 if all have the same, 1/n if one has all.
double fairness(const std::vector<std::int64_t>& shares) {
  double sum = 0, squares = 0;
  for (const std::int64_t share : shares) {
    sum += static_cast<double>(share);
    squares += static_cast<double>(share) * static_cast<double>(share);
  }
  return squares > 0 ? sum * sum / (static_cast<double>(shares.size()) * squares) : 0;
}

double length_for(double offered) {
  return std::clamp(kCallsPerRow / offered, 4.0, 60.0);
}

void head(const char* title, const char* last) {
  std::printf("\n%s\n%-28s %8s %8s %9s %8s %9s %9s %10s\n", title, "fleet", "replicas", "offered", "goodput", "p99 ms",
              "refused", "fairness", last);
}

/// `possible`: answers per second of the best fleet of this size. Fairness is that among clients where they are told
/// apart, else among replicas.
void row(const std::string& what, const Shape& shape, double possible, double seconds, Outcome outcome,
         const std::string& last) {
  const double of = std::min(possible, shape.offered);
  const auto answered = static_cast<double>(outcome.answered);
  const auto offered = static_cast<double>(std::max<std::int64_t>(1, outcome.offered));
  std::printf("%-28s %8d %7.2fx %7.1f %% %8.0f %7.1f %% %9.3f %10s\n", what.c_str(), shape.replicas,
              shape.offered / possible, 100 * answered / seconds / of, 1000 * quantile(outcome.latencies, 0.99),
              100 * static_cast<double>(outcome.refused) / offered,
              fairness(shape.clients > 0 ? outcome.answered_of_client : outcome.answered_by_replica), last.c_str());
  std::fflush(stdout);
}

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * share);
  return text;
}

/// What the choice of the load balancer costs: a replica refuses while another one has room.
void balance(int most) {
  head("One load balancer before replicas of 8 slots of 100 ms", "stranded");
  for (const double load : {0.95, 2.0}) {
    for (const Balancing balancing : {Balancing::round_robin, Balancing::random_two, Balancing::least_request}) {
      for (const double replicas : kSizes) {
        if (replicas > most) continue;
        Shape shape;
        shape.replicas = static_cast<int>(replicas);
        shape.balancing = balancing;
        shape.policy = policy_for(shape.slots);
        const double possible = replicas * per_replica(shape);
        shape.offered = load * possible;
        const double seconds = length_for(shape.offered);
        Outcome outcome = run(shape, kWarmUp, seconds, kSeed);
        const double stranded = static_cast<double>(outcome.stranded) / static_cast<double>(outcome.offered);
        row(std::string(name(balancing)), shape, possible, seconds, std::move(outcome), percent(stranded));
      }
    }
  }
}

/// Tasks of four calls, each to any replica: they are whole only if all replicas serve the same clients.
void tasks(int most) {
  enum Kind : int { none, own_seeds, one_seed };
  constexpr const char* kNames[] = {"no cohorts", "a seed for each replica", "one seed"};
  head("Tasks of four calls at 2x, each call to any replica", "whole");
  for (const Kind kind : {none, own_seeds, one_seed}) {
    for (const double replicas : kSizes) {
      if (replicas > most) continue;
      Shape shape;
      shape.replicas = static_cast<int>(replicas);
      shape.policy = policy_for(shape.slots);
      shape.policy.cohorts = kind != none;
      shape.one_seed = kind == one_seed;
      shape.calls = 4;
      shape.clients = 200 * shape.replicas;
      const double possible = replicas * per_replica(shape);
      shape.offered = 2 * possible;
      const double seconds = std::max(length_for(shape.offered), 2 * shape.rotate);
      Outcome outcome = run(shape, 3 * kWarmUp, seconds, kSeed);
      const double whole = static_cast<double>(outcome.whole) / static_cast<double>(outcome.tasks);
      row(kNames[kind], shape, possible, seconds, std::move(outcome), percent(whole));
    }
  }
}

/// More and more replicas before one database: the sum of their limits is what it feels.
void database(int most) {
  enum Kind : int { fixed, adaptive, pooler, divided };
  constexpr const char* kNames[] = {"8 slots each", "adaptive limit, min 1", "8 slots each, pooler",
                                    "limits divided: 80 in all"};
  constexpr int kInAll = 80;  // 1.25 times the cores
  head("One database of 64 cores, queries of 50 ms, at 2x", "late");
  for (const Kind kind : {fixed, adaptive, pooler, divided}) {
    for (const double replicas : {8, 16, 64, 256, 1024}) {
      if (replicas > most) continue;
      Shape shape;
      shape.replicas = static_cast<int>(replicas);
      shape.database.cores = 64;
      if (kind == divided) shape.slots = std::max(1, static_cast<int>(kInAll / replicas));
      if (kind == pooler) shape.database.connections = shape.database.cores;
      shape.policy = policy_for(shape.slots);
      shape.policy.adaptive = {.enabled = kind == adaptive, .min = 1};
      const double possible = shape.database.capacity();
      shape.offered = 2 * possible;
      constexpr double kSeconds = 60;
      Outcome outcome = run(shape, 10 * kWarmUp, kSeconds, kSeed);
      const double late = static_cast<double>(outcome.late) / static_cast<double>(outcome.offered);
      row(kNames[kind], shape, possible, kSeconds, std::move(outcome), percent(late));
    }
  }
}

/// Half of the replicas go and come back.
void loss(int most) {
  head("Half of the replicas gone for a third of the time", "broken");
  for (const double load : {0.45, 0.9, 2.0}) {
    for (const double replicas : {10, 100, 1000}) {
      if (replicas > most) continue;
      constexpr double kSeconds = 30, kLost = 0.5;
      Shape shape;
      shape.replicas = static_cast<int>(replicas);
      shape.policy = policy_for(shape.slots);
      shape.lost = kLost;
      shape.lost_from = kSeconds / 3;
      shape.lost_until = 2 * kSeconds / 3;
      const double possible = replicas * per_replica(shape);
      shape.offered = load * possible;
      Outcome outcome = run(shape, kWarmUp, kSeconds, kSeed);
      // While half are gone, half is possible.
      const double meanwhile = std::min(load, 1 - kLost), otherwise = std::min(load, 1.0);
      const double best = (meanwhile + 2 * otherwise) / 3 / std::min(load, 1.0);
      const double broken = static_cast<double>(outcome.broken) / static_cast<double>(outcome.offered);
      row("goodput of what was possible", shape, possible, kSeconds * best, std::move(outcome), percent(broken));
    }
  }
}

}  // namespace

int main() {
  const char* chosen = std::getenv("SCENARIOS");
  const char* limit = std::getenv("MOST");
  const std::string scenarios = chosen ? chosen : "balance,tasks,database,loss";
  const int most = limit ? std::atoi(limit) : 10'000;
  const struct {
    std::string_view name;
    void (*run)(int);
  } all[] = {{"balance", balance}, {"tasks", tasks}, {"database", database}, {"loss", loss}};
  for (const auto& each : all) {
    if (scenarios.find(each.name) != std::string::npos) each.run(most);
  }
}
