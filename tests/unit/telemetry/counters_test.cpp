#include "proxy/telemetry/counters.hpp"

#include <algorithm>
#include <string_view>

#include <doctest/doctest.h>

namespace {

using namespace spillway::telemetry;
using namespace std::chrono_literals;

TEST_CASE("a counter counts up, and down if it is a gauge") {
  Counter counter;
  CHECK(counter.value() == 0);
  counter.add();
  counter.add(41);
  CHECK(counter.value() == 42);
  counter.subtract();
  counter.subtract(41);
  CHECK(counter.value() == 0);
}

/// For any bounds each value is in the first bucket whose bound is not below it.
template <const auto& bounds>
void check_buckets() {
  CHECK(std::is_sorted(bounds.begin(), bounds.end()));
  CHECK(std::adjacent_find(bounds.begin(), bounds.end()) == bounds.end());
  using Tested = Histogram<bounds>;
  CHECK(Tested::kBuckets == bounds.size() + 1);
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    CAPTURE(bounds[i]);
    Tested histogram;
    histogram.observe(bounds[i]);
    histogram.observe(bounds[i] * 1.0001);
    CHECK(histogram.bucket(i) == 1);
    CHECK(histogram.bucket(i + 1) == 1);
    CHECK(histogram.sum() == doctest::Approx(bounds[i] * 2.0001));
  }
  Tested histogram;
  histogram.observe(0);
  histogram.observe(1e12);
  CHECK(histogram.bucket(0) == 1);
  CHECK(histogram.bucket(bounds.size()) == 1);
}

TEST_CASE("a value counts in the first bucket whose bound it does not exceed, else in the last one") {
  check_buckets<kLatencyBoundsMs>();
  check_buckets<kConcurrencyBounds>();
}

TEST_CASE("the service objectives and the usual threshold are bounds of buckets") {
  for (const double objective : {120.0, 200.0}) {
    CHECK(std::count(kLatencyBoundsMs.begin(), kLatencyBoundsMs.end(), objective) == 1);
  }
  CHECK(std::count(kConcurrencyBounds.begin(), kConcurrencyBounds.end(), 80.0) == 1);
}

TEST_CASE("the counters of two workers share no cache line") {
  CHECK(alignof(WorkerCounters) >= 64);
  CHECK(sizeof(WorkerCounters) % 64 == 0);
}

TEST_CASE("a duration is converted to milliseconds with their fraction") {
  CHECK(to_milliseconds(1500us) == doctest::Approx(1.5));
  CHECK(to_milliseconds(2s) == doctest::Approx(2000));
}

TEST_CASE("a status belongs to its hundred, and an invalid one to none") {
  struct Row {
    int status;
    std::string_view name;
  };
  const Row rows[] = {{0, "none"},  {99, "none"}, {100, "1xx"}, {101, "1xx"}, {200, "2xx"},  {299, "2xx"},
                      {304, "3xx"}, {404, "4xx"}, {503, "5xx"}, {599, "5xx"}, {600, "none"}, {-1, "none"}};
  for (const Row& row : rows) CHECK(kCodeNames[code_index(row.status)] == row.name);
}

TEST_CASE("each status of a bad request has its own count, and an unknown one counts as 400") {
  for (std::size_t i = 0; i < kBadRequestCodes.size(); ++i) CHECK(bad_request_index(kBadRequestCodes[i]) == i);
  CHECK(kBadRequestCodes[bad_request_index(499)] == 400);
}

TEST_CASE("every outcome has the name that users know") {
  const char* const names[] = {"ok", "client_error", "upstream_error", "shed", "timeout", "aborted"};
  REQUIRE(std::size(names) == kOutcomes);
  for (std::size_t i = 0; i < kOutcomes; ++i) CHECK(name(static_cast<Outcome>(i)) == names[i]);
}

}  // namespace
