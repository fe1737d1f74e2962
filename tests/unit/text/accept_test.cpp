// Weights of what a client accepts.

#include "proxy/text/accept.hpp"

#include <doctest/doctest.h>

namespace text {
namespace {

TEST_CASE("the weight of a name in a list") {
  struct Case {
    const char* list;
    int weight;
  };
  for (const auto& [list, weight] : {Case{"", -1},
                                     {"gzipped", -1},
                                     {"br, deflate", -1},
                                     {"gzip", 1000},
                                     {"a,GZip ;q=0.5", 500},
                                     {"gzip;q=0", 0},
                                     {"gzip;q=0.000", 0},
                                     {"gzip;Q=1.000", 1000},
                                     {"gzip;q=0.25", 250},
                                     {"gzip;level=1; q=0.125", 125},
                                     {"gzip;q=0.1,gzip;q=0.4", 400},
                                     {" , ,gzip", 1000},
                                     {"gzip;q=", 0},
                                     {"gzip;q=2", 0},
                                     {"gzip;q=1.5", 0},
                                     {"gzip;q=0.1234", 0},
                                     {"gzip;q=abc", 0},
                                     {"gzip;", 1000},
                                     {";q=1", -1},
                                     {"gzip;q=0x", 0}}) {
    CAPTURE(list);
    CHECK(accepted_weight(list, "gzip") == weight);
  }
}

TEST_CASE("a list is taken apart entry by entry") {
  std::string_view list = "text/html;level=1, application/json ;q=0.5";
  const auto first = take_accepted(list);
  REQUIRE(first.has_value());
  CHECK(first->name == "text/html");
  CHECK(first->weight == 1000);
  const auto second = take_accepted(list);
  REQUIRE(second.has_value());
  CHECK(second->name == "application/json");
  CHECK(second->weight == 500);
  CHECK_FALSE(take_accepted(list).has_value());
}

}  // namespace
}  // namespace text
