// The time at the head of a line of the log.

#include "proxy/text/utc_time.hpp"

#include <doctest/doctest.h>

namespace text {
namespace {

using namespace std::chrono_literals;

std::string written(std::chrono::system_clock::duration since_1970) {
  std::string out = "at ";
  append_utc_time(out, std::chrono::system_clock::time_point(since_1970));
  return out;
}

TEST_CASE("a time is written in UTC with three digits of milliseconds") {
  CHECK(written(0s) == "at 1970-01-01T00:00:00.000Z");
  CHECK(written(6ms) == "at 1970-01-01T00:00:00.006Z");
  CHECK(written(59s + 999ms) == "at 1970-01-01T00:00:59.999Z");
  CHECK(written(24h * 20'780 + 9h + 8min + 7s + 60ms) == "at 2026-11-23T09:08:07.060Z");
}

TEST_CASE("a microsecond never rounds up to the next millisecond") {
  CHECK(written(1s + 999us) == "at 1970-01-01T00:00:01.000Z");
}

}  // namespace
}  // namespace text
