// What an error of the server says, and whether a question is put again.

#include "api/db/sqlstate.hpp"

#include <doctest/doctest.h>

namespace api::db {
namespace {

constexpr bool kReused = true, kFresh = false;

TEST_CASE("Codes have their meaning by code, else by class") {
  struct {
    const char* sqlstate;
    QueryFailure failure;
  } const cases[] = {
      {"57014", QueryFailure::timeout},   {"57P01", QueryFailure::broken},    {"57P02", QueryFailure::broken},
      {"57P03", QueryFailure::broken},    {"57P05", QueryFailure::broken},    {"08006", QueryFailure::broken},
      {"08P01", QueryFailure::broken},    {"26000", QueryFailure::stale},     {"42P05", QueryFailure::stale},
      {"0A000", QueryFailure::stale},     {"25006", QueryFailure::stale},     {"40001", QueryFailure::transient},
      {"40P01", QueryFailure::transient}, {"55P03", QueryFailure::transient}, {"53100", QueryFailure::transient},
      {"53200", QueryFailure::transient}, {"53300", QueryFailure::transient}, {"42P01", QueryFailure::refused},
      {"55000", QueryFailure::refused},   {"42501", QueryFailure::refused},   {"XX000", QueryFailure::refused},
      {"", QueryFailure::refused},        {"22012", QueryFailure::refused},   {"22P05", QueryFailure::value},
      {"22003", QueryFailure::value},     {"22021", QueryFailure::value},     {"54000", QueryFailure::value},
      {"54001", QueryFailure::value},
  };
  for (const auto& [sqlstate, failure] : cases) {
    CAPTURE(sqlstate);
    CHECK(failure_of(sqlstate) == failure);
  }
}

TEST_CASE("A transient error is retried once, on a connection of any age") {
  for (const char* sqlstate : {"40001", "40P01", "55P03", "53100", "53200"}) {
    for (const bool reused : {kReused, kFresh}) {
      CAPTURE(sqlstate);
      Repeats repeats;
      CHECK(repeats.again(failure_of(sqlstate), sqlstate, reused));
      CHECK_FALSE(repeats.again(failure_of(sqlstate), sqlstate, kFresh));
      CHECK_FALSE(repeats.again(failure_of(sqlstate), sqlstate, kReused));
    }
  }
}

TEST_CASE("The death of a used connection does not count as a try; on a fresh connection it does") {
  for (const char* sqlstate : {"57P01", "57P02", "57P03"}) {
    CAPTURE(sqlstate);
    Repeats repeats;
    for (int i = 0; i < 5; ++i) CHECK(repeats.again(QueryFailure::broken, sqlstate, kReused));
    CHECK(repeats.again(QueryFailure::broken, sqlstate, kFresh));
    CHECK_FALSE(repeats.again(QueryFailure::broken, sqlstate, kFresh));
  }
  // Silence, or a reset without an error, on a fresh connection.
  for (const char* sqlstate : {"08006", "", "57P05"}) {
    Repeats repeats;
    CHECK(repeats.again(QueryFailure::broken, sqlstate, kReused));
    CHECK_FALSE(repeats.again(QueryFailure::broken, sqlstate, kFresh));
  }
  Repeats repeats;
  CHECK(repeats.again(QueryFailure::stale, "26000", kReused));
  CHECK_FALSE(repeats.again(QueryFailure::stale, "26000", kFresh));
  // A server that has become a standby is left for the new primary, which may need one more try.
  CHECK(repeats.again(QueryFailure::stale, "25006", kFresh));
  CHECK_FALSE(repeats.again(QueryFailure::stale, "25006", kFresh));
}

TEST_CASE("Transient errors end as 503, all others do not") {
  for (const char* sqlstate : {"40001", "40P01", "55P03", "53100", "53200", "57P01", "57P02", "57P03", "25006"}) {
    CHECK(passes(sqlstate));
  }
  for (const char* sqlstate : {"", "0A000", "26000", "42P01", "57014", "22P05", "54000", "XX000"})
    CHECK_FALSE(passes(sqlstate));
}

TEST_CASE("A permanent error is not retried") {
  for (const bool reused : {kReused, kFresh}) {
    Repeats repeats;
    CHECK_FALSE(repeats.again(QueryFailure::none, "", reused));
    CHECK_FALSE(repeats.again(QueryFailure::timeout, "57014", reused));
    CHECK_FALSE(repeats.again(QueryFailure::interrupted, "57014", reused));
    CHECK_FALSE(repeats.again(QueryFailure::refused, "42P01", reused));
    CHECK_FALSE(repeats.again(QueryFailure::value, "22P05", reused));
  }
}

}  // namespace
}  // namespace api::db
