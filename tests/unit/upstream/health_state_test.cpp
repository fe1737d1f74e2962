#include "proxy/upstream/health_state.hpp"

#include <doctest/doctest.h>

namespace spillway::upstream {
namespace {

TEST_CASE("The API is down after `fall` failed polls in a row, and up after `rise` good ones") {
  HealthConfig config;
  config.fall = 3;
  config.rise = 2;
  HealthState state;
  CHECK(state.polled(true, config).changed);  // the first poll decides
  CHECK(state.polled(false, config).up);
  CHECK(state.polled(false, config).in_row == 2);
  CHECK(state.polled(true, config).up);  // not in a row any more
  for (int i = 0; i < 2; ++i) CHECK(state.polled(false, config).up);
  const HealthState::Verdict down = state.polled(false, config);
  CHECK_FALSE(down.up);
  CHECK(down.changed);
  CHECK(down.in_row == 3);
  CHECK(down.needed == 3);
  CHECK_FALSE(state.polled(false, config).changed);
  CHECK_FALSE(state.polled(true, config).up);
  const HealthState::Verdict up = state.polled(true, config);
  CHECK(up.up);
  CHECK(up.changed);
}

TEST_CASE("A failed first poll makes the API down at once") {
  HealthState state;
  const HealthState::Verdict first = state.polled(false, {});
  CHECK_FALSE(first.up);
  CHECK(first.changed);
  CHECK(first.in_row == 1);
  CHECK(state.polled(true, {}).up);
}

}  // namespace
}  // namespace spillway::upstream
