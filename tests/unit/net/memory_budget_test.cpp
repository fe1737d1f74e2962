// Memory that connections share.

#include "proxy/net/memory_budget.hpp"

#include <doctest/doctest.h>

namespace {

TEST_CASE("a budget is never exceeded, and every share goes back") {
  net::MemoryBudget budget;
  net::MemoryShare first(budget);
  {
    net::MemoryShare second(budget);
    CHECK(first.grow_to(60, 100));
    CHECK_FALSE(second.grow_to(41, 100));
    CHECK(second.grow_to(40, 100));
    CHECK(budget.used() == 100);
    CHECK(first.grow_to(10, 100));  // it has more
    first.shrink_to(50);
    CHECK(second.grow_to(50, 100));
    CHECK_FALSE(second.grow_to(51, 50));  // a limit that was lowered
    CHECK(budget.used() == 100);
  }
  CHECK(budget.used() == 50);
  first.reset();
  CHECK(budget.used() == 0);
}

}  // namespace
