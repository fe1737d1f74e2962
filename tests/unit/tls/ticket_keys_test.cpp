#include "proxy/tls/ticket_keys.hpp"

#include <doctest/doctest.h>

namespace tls {
namespace {

using namespace std::chrono_literals;

TEST_CASE("a key signs for an hour, opens for two more, and is then forgotten") {
  TicketKeys keys;
  const TicketKeys::Time start{};
  const auto first = keys.current(start);
  REQUIRE(first);
  CHECK(keys.current(start + 59min)->name == first->name);
  CHECK(keys.find(first->name.data(), start + 59min)->current);

  const auto second = keys.current(start + 1h);
  CHECK(second->name != first->name);
  CHECK(second->cipher != first->cipher);
  const auto old = keys.find(first->name.data(), start + 1h);
  REQUIRE(old);
  CHECK_FALSE(old->current);
  CHECK(old->key.mac == first->mac);

  CHECK(keys.find(first->name.data(), start + 3h - 1s));
  CHECK_FALSE(keys.find(first->name.data(), start + 3h));
  const unsigned char unknown[TicketKeys::kNameSize] = {};
  CHECK_FALSE(keys.find(unknown, start));
}

TEST_CASE("after a quiet day there is a new key, and none of the day before") {
  TicketKeys keys;
  const TicketKeys::Time start{};
  const auto first = keys.current(start);
  CHECK(keys.current(start + 24h)->name != first->name);
  CHECK_FALSE(keys.find(first->name.data(), start + 24h));
}

}  // namespace
}  // namespace tls
