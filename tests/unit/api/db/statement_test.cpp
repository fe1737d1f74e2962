// Parameters of a statement.

#include "api/db/statement.hpp"

#include <cstring>

#include <doctest/doctest.h>

namespace api::db {
namespace {

TEST_CASE("Parameters are in PostgreSQL's binary format") {
  Parameters parameters;
  parameters.int8(258)
      .int4(-2)
      .text(std::string_view())
      .text(std::optional<std::string_view>())
      .date(10957)
      .text(std::string_view("abc"));
  const auto arrays = parameters.arrays();
  CHECK(parameters.count() == 6);
  CHECK(std::memcmp(arrays.values[0], "\0\0\0\0\0\0\1\2", 8) == 0);
  CHECK(std::memcmp(arrays.values[1], "\xff\xff\xff\xfe", 4) == 0);
  CHECK(arrays.values[2] != nullptr);
  CHECK(arrays.lengths[2] == 0);
  CHECK(arrays.values[3] == nullptr);
  CHECK(std::memcmp(arrays.values[4], "\0\0\0\0", 4) == 0);
  CHECK(std::string_view(arrays.values[5], 3) == "abc");
  for (int i = 0; i < 6; ++i) CHECK(arrays.formats[static_cast<std::size_t>(i)] == 1);
}

}  // namespace
}  // namespace api::db
