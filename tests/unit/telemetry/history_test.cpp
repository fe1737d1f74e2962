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
  second.classes[0].requests[0][2].add(1);
  second.classes[1].requests[static_cast<std::size_t>(Outcome::client_error)][4].add(2);
  second.classes[1].requests[static_cast<std::size_t>(Outcome::shed)][5].add(4);
  second.classes[1].shadow_rejections[static_cast<std::size_t>(Reason::deadline)].add(6);
  second.failures[0].add(8);
  second.classes[1].rejections[static_cast<std::size_t>(Reason::pool)].add(4);
  first.classes[0].served_duration.observe(7);
  second.classes[1].served_duration.observe(7);
  for (int i = 0; i < 4; ++i) second.classes[1].duration.observe(0.1);  // the refused
  ProcessState process;
  process.draining = true;
  AdmissionState admission;
  admission.in_flight = 9;
  history.sample(100, admission, process);
  first.parsed.add(1);
  history.sample(101, {}, process);

  REQUIRE(history.samples().size() == 2);
  const History::Sample& then = history.samples()[0];
  CHECK(then.at == 100);
  CHECK(then.offered == 7);
  CHECK(then.answered == 3);
  CHECK(then.admission.in_flight == 9);
  CHECK(then.refused[static_cast<std::size_t>(Reason::pool)] == 4);
  CHECK(then.refused_of == std::vector<std::uint32_t>{0, 4});
  CHECK(then.would_refuse[static_cast<std::size_t>(Reason::deadline)] == 6);
  CHECK(then.failed[0] == 8);
  CHECK(then.draining);
  CHECK_FALSE(then.healthy);
  CHECK(then.offered_of == std::vector<std::uint32_t>{1, 6});
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
  for (int second = 0; second < 1000; ++second) history.sample(second, {}, {});
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

TEST_CASE("refusals that are alike are counted for a minute, most first") {
  using namespace std::chrono_literals;
  const std::chrono::system_clock::time_point start{1000s};
  Refusals refusals;
  const auto refuse = [&](std::chrono::seconds at, const std::string& path, int in_flight = 0) {
    refusals.remember({start + at, Reason::capacity, 0, "GET", path, in_flight, 100, {}});
  };
  for (int i = 0; i < 3; ++i) refuse(std::chrono::seconds(i), "/items/" + std::to_string(i), 80 + i);
  refuse(0s, "/search");
  refuse(0s, "/search");
  refusals.remember({start, Reason::pool, 0, "GET", "/search"});
  auto groups = refusals.groups(start + 2s);
  REQUIRE(groups.size() == 3);
  CHECK(groups[0].last.path == "/items/*");
  CHECK(groups[0].count == 3);
  CHECK(groups[0].last.in_flight == 82);  // of the last one
  CHECK(groups[1].count == 2);
  CHECK(groups[2].last.reason == Reason::pool);

  groups = refusals.groups(start + 60s);  // the first second is over
  REQUIRE(groups.size() == 1);
  CHECK(groups[0].count == 2);
  refuse(3600s, "/items/9");
  groups = refusals.groups(start + 3600s);
  REQUIRE(groups.size() == 1);
  CHECK(groups[0].count == 1);
  for (int i = 0; i < 200; ++i) refuse(3601s, "/page" + std::to_string(i));
  CHECK(refusals.groups(start + 3601s).size() == Refusals::kGroups);
}

TEST_CASE("a path's identifiers become one pattern") {
  CHECK(path_pattern("/") == "/");
  CHECK(path_pattern("") == "");
  CHECK(path_pattern("*") == "*");
  CHECK(path_pattern("/a/12/b") == "/a/*/b");
  CHECK(path_pattern("/a/12/") == "/a/*/");
  CHECK(path_pattern("/v2/cafe") == "/v2/cafe");
  CHECK(path_pattern("//7//") == "//*//");
  CHECK(path_pattern("/u/6f1c2a1e-9d1b-4c1e-8d55-2f6a3f7c9b10") == "/u/*");
  CHECK(path_pattern("/" + std::string(300, 'x')).size() == Refusals::kPathMax);
}

}  // namespace
}  // namespace spillway::telemetry
