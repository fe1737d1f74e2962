// How descriptors are divided between clients, the API and the rest.

#include "proxy/descriptors.hpp"

#include <initializer_list>
#include <limits>

#include <doctest/doctest.h>

namespace spillway {
namespace {

constexpr int kMost = std::numeric_limits<int>::max();

TEST_CASE("limits that fit stay; others are lowered, and every kind of descriptor keeps its part") {
  struct Row {
    Descriptors have;
    Connections wanted, fitted;
  };
  // One worker: 4 more are kept free.
  for (const Row& row : {
           Row{{1'048'576, 30}, {10'000, 256, 64}, {10'000, 256, 64}},
           Row{{kMost, 30}, {1'000'000, 65'536, 64}, {1'000'000, 65'536, 64}},
           Row{{10'354, 30}, {10'000, 256, 64}, {10'000, 256, 64}},
           Row{{10'353, 30}, {10'000, 256, 64}, {9'999, 256, 64}},
           Row{{1'024, 30}, {10'000, 256, 64}, {670, 256, 64}},
           Row{{1'024, 30}, {10'000, 5'000, 64}, {463, 463, 64}},
           Row{{1'024, 30}, {10, 5'000, 64}, {10, 463, 64}},
           Row{{128, 30}, {10'000, 256, 64}, {42, 41, 11}},
           Row{{42, 30}, {10'000, 256, 64}, {3, 3, 2}},
           Row{{41, 30}, {10'000, 256, 64}, {0, 0, 0}},
           Row{{10, 30}, {10'000, 256, 64}, {0, 0, 0}},
       }) {
    CAPTURE(row.have.limit);
    const Connections fitted = fit(row.have, row.wanted, 1);
    CHECK(fitted.clients == row.fitted.clients);
    CHECK(fitted.upstream == row.fitted.upstream);
    CHECK(fitted.admin == row.fitted.admin);
  }
}

TEST_CASE("for any numbers the limits fit, and clients get at least as many descriptors as the API") {
  for (int limit = 0; limit < 3000; limit += 7) {
    for (const int workers : {1, 8, 64}) {
      for (const int upstream : {1, 100, 2000}) {
        const Connections wanted{10'000, upstream, 64};
        const Connections fitted = fit({limit, 40}, wanted, workers);
        if (fitted.clients == 0) continue;
        CHECK(fitted.clients + fitted.upstream + fitted.admin + workers + 40 < limit);
        CHECK(fitted.clients >= fitted.upstream);
        CHECK(fitted.upstream >= 1);
        CHECK(fitted.admin >= 2);
      }
    }
  }
}

}  // namespace
}  // namespace spillway
