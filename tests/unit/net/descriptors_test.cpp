// Descriptors of this process.

#include "proxy/net/descriptors.hpp"

#include <doctest/doctest.h>

namespace {

TEST_CASE("the process knows its open descriptors and its limit") {
  const int before = net::open_descriptors();
  CHECK(before >= 3);
  CHECK(net::raise_descriptor_limit() > before);
}

}  // namespace
