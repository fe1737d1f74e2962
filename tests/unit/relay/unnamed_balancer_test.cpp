// Who is taken for a load balancer that trusted_proxies lacks.

#include "proxy/relay/unnamed_balancer.hpp"

#include <doctest/doctest.h>

namespace spillway::relay {
namespace {

TEST_CASE("a peer that keeps telling of clients is found once") {
  UnnamedBalancer balancer;
  int found = 0;
  for (int i = 0; i < 10 * UnnamedBalancer::kEnough; ++i) found += balancer.tells_of_clients("10.0.0.1") ? 1 : 0;
  CHECK(found == 1);
}

TEST_CASE("a balancer is found among clients that claim to be others") {
  UnnamedBalancer balancer;
  int found = 0;
  for (int i = 0; i < 3 * UnnamedBalancer::kEnough; ++i) {
    found += balancer.tells_of_clients("10.0.0.1") ? 1 : 0;
    if (i % 2 == 0) balancer.tells_of_clients("192.0.2." + std::to_string(i % 250));
  }
  CHECK(found == 1);
}

TEST_CASE("clients that claim to be others are not taken for one") {
  UnnamedBalancer balancer;
  for (int i = 0; i < 100'000; ++i) {
    REQUIRE_FALSE(balancer.tells_of_clients("192.0.2." + std::to_string(i % 250)));
  }
}

}  // namespace
}  // namespace spillway::relay
