// The API counts from its start, the proxy from its own: what each report adds.
#include "proxy/admission/connection_errors.hpp"

#include <cstdint>
#include <limits>

#include <doctest/doctest.h>

namespace {

using spillway::Duration;
using spillway::Time;
using spillway::admission::ConnectionErrors;
using namespace std::chrono_literals;

constexpr Duration kKept = 15s;

TEST_CASE("each report adds what is new in it") {
  ConnectionErrors errors;
  Time now = Time{} + 1h;
  CHECK(errors.total() == 0);
  errors.polled(7, now);
  CHECK(errors.total() == 7);
  errors.polled(7, now += 1s);
  CHECK(errors.total() == 7);
  errors.polled(9, now += 1s);
  CHECK(errors.total() == 9);
}

TEST_CASE("an API that has been restarted counts from 0, the proxy goes on") {
  ConnectionErrors errors;
  Time now = Time{} + 1h;
  errors.polled(7, now);
  errors.polled(0, now += 1s);
  CHECK(errors.total() == 7);
  errors.polled(2, now += 1s);
  CHECK(errors.total() == 9);
  errors.polled(1, now += 1s);  // again
  CHECK(errors.total() == 10);
}

TEST_CASE("an answer that was begun before the last poll adds nothing") {
  ConnectionErrors errors;
  Time now = Time{} + 1h;
  errors.polled(7, now);
  errors.polled(9, now += 1s);
  errors.answered(7, kKept, now);
  errors.polled(9, now += 1s);
  CHECK(errors.total() == 9);
  // Nor does the last answer of a process that the API's new one has replaced.
  errors.polled(1, now += 1s);
  errors.answered(9, kKept, now);
  errors.polled(1, now += 1s);
  CHECK(errors.total() == 10);
}

TEST_CASE("without polls that tell it the answers count, and a lower count only when no older answer is expected") {
  ConnectionErrors errors;
  Time now = Time{} + 1h;
  errors.answered(5, kKept, now);
  errors.answered(7, kKept, now += 1s);
  CHECK(errors.total() == 7);
  errors.answered(6, kKept, now += 1s);
  CHECK(errors.total() == 7);
  errors.answered(7, kKept, now += kKept);
  errors.answered(2, kKept, now += kKept);
  CHECK(errors.total() == 7);
  errors.answered(3, kKept, now += 1s);
  CHECK(errors.total() == 10);
}

TEST_CASE("answers count again when the polls have stopped telling") {
  ConnectionErrors errors;
  Time now = Time{} + 1h;
  errors.polled(7, now);
  errors.answered(8, kKept, now += kKept);
  CHECK(errors.total() == 7);
  errors.answered(8, kKept, now += 1s);
  CHECK(errors.total() == 8);
}

TEST_CASE("a successor counts from 0 what comes after the last report before it") {
  ConnectionErrors errors;
  Time now = Time{} + 1h;
  errors.polled(5, now);
  errors.polled(7, now);
  ConnectionErrors successor;
  successor.restore(errors.reported(), now += 1s);
  CHECK(successor.total() == 0);
  successor.answered(6, kKept, now);  // an answer of before
  successor.polled(7, now);
  CHECK(successor.total() == 0);
  successor.polled(8, now += 1s);
  CHECK(successor.total() == 1);
}

TEST_CASE("counts beyond all reason do not overflow") {
  ConnectionErrors errors;
  const Time now = Time{} + 1h;
  errors.polled(std::numeric_limits<std::uint64_t>::max(), now);
  CHECK(errors.total() == ConnectionErrors::kMost);
  errors.polled(1, now + 1s);
  CHECK(errors.total() == ConnectionErrors::kMost + 1);
}

}  // namespace
