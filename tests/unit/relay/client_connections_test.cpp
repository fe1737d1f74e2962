#include "proxy/relay/client_connections.hpp"

#include <vector>

#include <doctest/doctest.h>

namespace {

using spillway::relay::ClientConnections;

TEST_CASE("a client may have as many connections as the limit allows, and another one when one ends") {
  ClientConnections clients;
  std::vector<ClientConnections::Place> places;
  for (int i = 0; i < 3; ++i) CHECK(places.emplace_back(clients.enter("192.0.2.1", 3)));
  CHECK_FALSE(clients.enter("192.0.2.1", 3));
  CHECK(clients.enter("192.0.2.1", 4));  // the limit may change meanwhile
  CHECK(clients.enter("192.0.2.2", 3));
  places.pop_back();
  CHECK(clients.enter("192.0.2.1", 3));
  places.clear();
  CHECK(clients.clients() == 0);  // a client that has left is forgotten
}

TEST_CASE("addresses of one client count together") {
  struct Row {
    const char* one;
    const char* other;
    bool same;
  };
  const Row rows[] = {
      {"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
      {"2001:db8::1", "2001:db8:0:1::1", false},
      {"192.0.2.1", "192.0.2.2", false},
      {"::ffff:192.0.2.1", "192.0.2.1", true},
      {"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
      {"::1", "::2", true},
      {"::1", "192.0.2.1", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.one);
    CAPTURE(row.other);
    ClientConnections clients;
    const auto first = clients.enter(row.one, 1);
    CHECK(first);
    CHECK(bool(clients.enter(row.other, 1)) != row.same);
  }
}

TEST_CASE("a place that was moved is given back once") {
  ClientConnections clients;
  {
    ClientConnections::Place place = clients.enter("192.0.2.1", 1);
    ClientConnections::Place moved = std::move(place);
    CHECK_FALSE(place);  // NOLINT: on purpose
    place = std::move(moved);
    CHECK(place);
    CHECK_FALSE(clients.enter("192.0.2.1", 1));
  }
  CHECK(clients.clients() == 0);
}

}  // namespace
