// The history of the status page: a sample each second, and the last refusals.

#include "proxy/telemetry/history.hpp"

#include <doctest/doctest.h>

#include "proxy/telemetry/refusals.hpp"

namespace spillway::telemetry {
namespace {

using admission::Reason;
using Buckets = std::array<std::uint64_t, LatencyHistogram::kBuckets>;

Time at(double seconds) {
  return Time(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds)));
}

TEST_CASE("a sample holds what all workers have counted since the previous one") {
  WorkerCounters first(2), second(2);
  History history({&first, &second});
  first.parsed.add(5);
  second.parsed.add(2);
  second.answered_by_api.add(3);
  second.classes[1].rejections[static_cast<std::size_t>(Reason::pool)].add(4);
  first.classes[0].duration.observe(7);
  second.classes[1].duration.observe(7);
  AdmissionState admission;
  admission.in_flight = 9;
  history.sample(100, admission);
  first.parsed.add(1);
  history.sample(101, {});

  REQUIRE(history.samples().size() == 2);
  const History::Sample& then = history.samples()[0];
  CHECK(then.at == 100);
  CHECK(then.offered == 7);
  CHECK(then.answered == 3);
  CHECK(then.admission.in_flight == 9);
  CHECK(then.refused[static_cast<std::size_t>(Reason::pool)] == 4);
  CHECK(then.refused_of == std::vector<std::uint32_t>{0, 4});
  CHECK(then.offered_of == std::vector<std::uint32_t>{1, 1});
  CHECK(then.latency_ms[0] == doctest::Approx(7.5));  // the middle of the bucket from 5 to 10
  const History::Sample& now = history.samples()[1];
  CHECK(now.offered == 1);
  CHECK(now.answered == 0);
  CHECK(now.refused_of == std::vector<std::uint32_t>{0, 0});
  CHECK(now.latency_ms[2] == 0);
}

TEST_CASE("the history goes back 15 minutes") {
  WorkerCounters worker(1);
  History history({&worker});
  for (int second = 0; second < 1000; ++second) history.sample(second, {});
  CHECK(history.samples().size() == 900);
  CHECK(history.samples().front().at == 100);
  CHECK(history.samples().back().at == 999);
}

TEST_CASE("quantiles are interpolated within a bucket") {
  Buckets buckets{};
  CHECK(quantile(buckets, 0.99) == 0);
  buckets[4] = 100;  // 10 to 25 ms
  CHECK(quantile(buckets, 0.5) == doctest::Approx(17.5));
  CHECK(quantile(buckets, 1) == doctest::Approx(25));
  buckets.back() = 100;  // beyond the last bound
  CHECK(quantile(buckets, 0.99) == kLatencyBoundsMs.back());
  CHECK(quantile(buckets, 0.25) == doctest::Approx(17.5));
}

TEST_CASE("of each reason the first hundred refusals of a second are shown, and later the number of the others") {
  Refusals refusals;
  int told = 0;
  for (int i = 0; i < 250; ++i) told += refusals.take(Reason::capacity, at(1.5));
  CHECK(told == 100);
  CHECK(refusals.take(Reason::pool, at(1.6)));
  CHECK(refusals.take_left_out(Reason::capacity, at(1.9)) == 0);  // the second is not over
  CHECK(refusals.take_left_out(Reason::capacity, at(2.1)) == 150);
  CHECK(refusals.take_left_out(Reason::capacity, at(2.2)) == 0);
  CHECK(refusals.take_left_out(Reason::pool, at(2.2)) == 0);
  CHECK(refusals.take(Reason::capacity, at(2.3)));
}

TEST_CASE("the last refusals are remembered, newest first, with paths of limited length") {
  Refusals refusals;
  for (int i = 0; i < 50; ++i) {
    refusals.remember({{}, Reason::capacity, 0, "GET", "/" + std::to_string(i) + std::string(200, 'x')});
  }
  const auto recent = refusals.recent();
  REQUIRE(recent.size() == Refusals::kRemembered);
  CHECK(recent.front().path.starts_with("/49x"));
  CHECK(recent.back().path.starts_with("/30x"));
  CHECK(recent.front().path.size() == Refusals::kPathMax);
}

}  // namespace
}  // namespace spillway::telemetry
