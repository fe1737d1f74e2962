// Fairness counts slot time: of two clients each gets its share of it, however long their requests take.
#include <doctest/doctest.h>

#include "tests/unit/admission/simulation.hpp"

namespace {

using namespace spillway::admission;
using namespace spillway::admission::simulation;

constexpr std::uint64_t kDear = 0x9e3779b97f4a7c15, kCheap = 0x123456789abcdef1;

struct SlotTime {
  double dear = 0, cheap = 0;  // parts of all slot time
};

SlotTime slot_time(const Backend& backend, double share, double cost, double dear_load, double cheap_load) {
  Policy policy;
  policy.max_concurrent = (backend.slots * 5 + 3) / 4;
  policy.fairness.share = share;
  Simulation simulation(policy, backend, 3);
  Source dear = steady(0, dear_load * backend.capacity() / cost), cheap = steady(0, cheap_load * backend.capacity());
  dear.key = kDear;
  dear.cost = cost;
  cheap.key = kCheap;
  simulation.add(dear);
  simulation.add(cheap);
  simulation.run_until(22);
  SlotTime used;
  for (const Record& record : simulation.records) {
    if (!record.answered || record.ended < 2) continue;
    (record.key == kDear ? used.dear : used.cheap) += record.served / (20 * backend.slots);
  }
  return used;
}

TEST_CASE("of two clients, one with requests 50 times as dear, each gets its share of slot time within 5 %" *
          doctest::test_suite("long")) {
  struct Row {
    int slots;
    double share, cost, dear_load, cheap_load;
  };
  for (const Row& row : {Row{10, 0.5, 50, 2, 2}, Row{10, 0.5, 50, 5, 1.5}, Row{10, 0.5, 50, 1.2, 3},
                         Row{10, 0.5, 1, 3, 3}, Row{50, 0.5, 10, 2, 2}}) {
    for (const bool exponential : {false, true}) {
      CAPTURE(row.slots);
      CAPTURE(row.cost);
      CAPTURE(row.dear_load);
      const SlotTime used = slot_time({.slots = row.slots, .service = 0.002, .exponential = exponential}, row.share,
                                      row.cost, row.dear_load, row.cheap_load);
      const double all = used.dear + used.cheap;
      CHECK(used.dear / all == doctest::Approx(row.share).epsilon(0.05));
      CHECK(used.cheap / all == doctest::Approx(1 - row.share).epsilon(0.05));
      CHECK(all >= 0.96);
    }
  }
}

TEST_CASE("slots that others leave free go to a client with long requests") {
  const SlotTime used = slot_time({.slots = 10, .service = 0.002}, 0.5, 50, 2, 0.1);
  CHECK(used.cheap >= 0.95 * 0.1);
  CHECK(used.dear >= 0.7);
}

}  // namespace
