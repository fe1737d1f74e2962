#include "config/address.hpp"

#include <string>

#include <doctest/doctest.h>

namespace {

using config::Address;

Address address(std::string_view text) {
  Address value;
  REQUIRE(parse(text, value));
  return value;
}

TEST_CASE("listeners overlap if the bind of the second one certainly fails") {
  struct Row {
    std::string one, other;
    bool overlaps;
  };
  for (const Row& row : {
           Row{"0.0.0.0:1", "127.0.0.1:1", true},
           {"0.0.0.0:1", "0.0.0.0:1", true},
           {"0.0.0.0:1", "localhost:1", true},
           {"0.0.0.0:1", "[::ffff:10.0.0.5]:1", true},
           {"0.0.0.0:1", "[::1]:1", false},
           {"0.0.0.0:1", "name:1", false},  // may stand for an address of IPv6 alone
           {"[::]:1", "0.0.0.0:1", true},
           {"[::]:1", "10.0.0.5:1", true},
           {"[0:0::0]:1", "[::1]:1", true},
           {"[::]:1", "name:1", true},
           {":1", "[::]:1", true},
           {":1", "10.0.0.5:1", true},
           {":1", ":2", false},
           {"127.0.0.1:1", "127.0.0.1:1", true},
           {"127.0.0.1:1", "[::FFFF:127.0.0.1]:1", true},
           {"127.0.0.1:1", "127.0.0.1:2", false},
           {"127.0.0.1:1", "127.0.0.2:1", false},
           {"127.0.0.1:1", "[::1]:1", false},
           {"localhost:1", "127.0.0.1:1", true},
           {"localhost:1", "[::1]:1", true},
           {"localhost:1", "app.localhost:1", true},
           {"localhost:1", "127.0.0.2:1", false},
           {"[::1]:1", "[0:0:0:0:0:0:0:1]:1", true},
           {"name:1", "Name.:1", true},
           {"name:1", "other:1", false},
           {"0.0.0.0:0", "0.0.0.0:0", false},  // each gets a port of its own
           {"unix:/run/x", "unix:/run/x", true},
           {"unix:/run/x", "unix:/run//./x", true},
           {"unix:/run/x", "unix:/run/y/../x", false},  // y may be a symbolic link
           {"unix:/run/x", "unix:/run/y", false},
           {"fd:3", "fd:3", true},
           {"fd:3", "fd:4", false},
           {"fd:3", "0.0.0.0:1", false},
           {"unix:/run/x", ":1", false},
       }) {
    CAPTURE(row.one);
    CAPTURE(row.other);
    CHECK(overlap(address(row.one), address(row.other)) == row.overlaps);
    CHECK(overlap(address(row.other), address(row.one)) == row.overlaps);
  }
}

}  // namespace
