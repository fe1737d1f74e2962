// Where a command asks the process of a configuration.

#include "proxy/admin/commands.hpp"

#include <doctest/doctest.h>

namespace spillway::admin {
namespace {

TEST_CASE("a command asks where the configuration has the admin listener") {
  struct Row {
    const char* listens;
    const char* asked;
  };
  for (const Row& row :
       {Row{"127.0.0.1:9901", "127.0.0.1:9901"}, Row{"0.0.0.0:80", "127.0.0.1:80"}, Row{":80", "127.0.0.1:80"},
        Row{"[::]:80", "[::1]:80"}, Row{"[fd00::1]:80", "[fd00::1]:80"}, Row{"admin.local:80", "admin.local:80"},
        Row{"unix:/run/admin.sock", "unix:/run/admin.sock"}}) {
    CAPTURE(row.listens);
    config::Listen listen;
    REQUIRE(parse(std::string_view(row.listens), listen));
    CHECK(address_of(listen) == std::string(row.asked));
    listen.tls.certificate.emplace_back();
    CHECK(address_of(listen) == "https://" + std::string(row.asked));
  }
  config::Listen inherited;
  REQUIRE(parse(std::string_view("fd:3"), inherited));
  CHECK_FALSE(address_of(inherited));
}

}  // namespace
}  // namespace spillway::admin
