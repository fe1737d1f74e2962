// Versions run from 1 without a gap: those of the program, and those that were applied.

#include <vector>

#include <doctest/doctest.h>

#include "api/schema/schema.hpp"

namespace api::schema {
namespace {

TEST_CASE("A gap in the versions is found, and the first that is missing is named") {
  CHECK(gap_in({}) == "");
  CHECK(gap_in(std::vector{1, 2, 3}) == "");
  CHECK(gap_in(std::vector{2}).starts_with("migration 1 is missing before 2"));
  CHECK(gap_in(std::vector{1, 2, 4, 7}).starts_with("migration 3 is missing before 4"));
  CHECK(gap_in(std::vector{0, 1}).starts_with("migration 1 is missing before 0"));
  std::vector<int> own;
  for (const Migration& migration : migrations()) own.push_back(migration.version);
  CHECK(gap_in(own) == "");
}

}  // namespace
}  // namespace api::schema
