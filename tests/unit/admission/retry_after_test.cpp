#include "proxy/admission/retry_after.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <queue>
#include <random>
#include <set>
#include <vector>

#include <doctest/doctest.h>

namespace {

using spillway::Duration;
using spillway::Time;
using spillway::admission::RetryAfter;
using spillway::admission::RetryAfterPolicy;
using namespace std::chrono_literals;

TEST_CASE("a fixed time is sent in whole seconds, at least one") {
  struct Row {
    Duration fixed;
    int told;
  };
  for (const Row& row : std::vector<Row>{{5s, 5}, {1500ms, 2}, {0s, 1}, {100ms, 1}, {2min, 120}}) {
    RetryAfter retry_after({.least = row.fixed, .most = row.fixed});
    CHECK(retry_after.seconds(0xffffffff) == row.told);
  }
}

TEST_CASE("refusals get times of the whole range, each equally often") {
  RetryAfter retry_after({.least = 3500ms, .most = 8s});
  std::mt19937 random(1);
  std::vector<int> told(10);
  for (int i = 0; i < 10'000; ++i)
    ++told[static_cast<std::size_t>(retry_after.seconds(static_cast<std::uint32_t>(random())))];
  for (int seconds = 0; seconds < 10; ++seconds) {
    CAPTURE(seconds);
    const int times = told[static_cast<std::size_t>(seconds)];
    const bool in_range = seconds >= 4 && seconds <= 8;
    CHECK(std::abs(times - (in_range ? 2000 : 0)) < 200 * in_range + 1);
  }
  CHECK(retry_after.seconds(0) == 4);
  CHECK(retry_after.seconds(0xffffffff) == 8);
}

TEST_CASE("a known time gets jitter: never sooner, at most half as long later, and at least two different values") {
  struct Row {
    Duration chance;
    int least, most;
  };
  for (const Row& row :
       std::vector<Row>{{0s, 1, 2}, {300ms, 1, 2}, {1s, 1, 2}, {1500ms, 2, 3}, {8s, 8, 12}, {1min, 60, 90}}) {
    CAPTURE(row.least);
    CHECK(RetryAfter::seconds_until(row.chance, 0) == row.least);
    CHECK(RetryAfter::seconds_until(row.chance, 0xffffffff) == row.most);
  }
}

TEST_CASE("auto rises from 1 s while most requests are refused, stays below 32 s, and falls when refusals stop") {
  RetryAfter retry_after({.automatic = true});
  std::minstd_rand random(1);
  Time now = Time{} + 1h;
  double before = retry_after.level();
  CHECK(before == 1);
  for (int second = 0; second < 200; ++second, now += 1s) {
    for (int i = 0; i < 10; ++i) {
      retry_after.admitted();
      for (int j = 0; j < 9; ++j) {
        retry_after.refused(now);
        const int told = retry_after.seconds(static_cast<std::uint32_t>(random()));
        REQUIRE(told >= 1);
        REQUIRE(told <= 32);
      }
    }
    CHECK(retry_after.level() >= before);
    before = retry_after.level();
  }
  CHECK(retry_after.level() == 32);
  now += 70s;
  retry_after.refused(now);
  CHECK(retry_after.level() < 16);
  now += 1h;
  retry_after.refused(now);
  CHECK(retry_after.level() == 1);
}

TEST_CASE("clients refused together get different times, from half to the whole of the level") {
  RetryAfter retry_after({.automatic = true});
  Time now = Time{} + 1h;
  for (; retry_after.level() < 32; now += 1s) {
    for (int i = 0; i < 100; ++i) retry_after.refused(now);
  }
  std::mt19937 random(1);
  std::set<int> told;
  for (int i = 0; i < 1000; ++i) told.insert(retry_after.seconds(static_cast<std::uint32_t>(random())));
  CHECK(*told.begin() == 16);
  CHECK(*told.rbegin() == 32);
  CHECK(told.size() == 17);
}

/// Clients that obey Retry-After: each sends a request, pauses for a second after an answer, and otherwise returns
/// after the time that it was told. The API answers `capacity` requests a second. Returns the requests of each second.
std::vector<int> arrivals_of_obedient(int clients, int capacity, int seconds, unsigned seed) {
  RetryAfter retry_after({.automatic = true});
  std::mt19937 random(seed);
  const auto uniform = [&] { return (static_cast<double>(random()) + 0.5) * 0x1p-32; };
  std::priority_queue<double, std::vector<double>, std::greater<>> due;
  for (int i = 0; i < clients; ++i) due.push(uniform());
  std::vector<int> arrivals(static_cast<std::size_t>(seconds));
  double tokens = 0, last = 0;
  while (due.top() < seconds) {
    const double now = due.top();
    due.pop();
    ++arrivals[static_cast<std::size_t>(now)];
    tokens = std::min(tokens + (now - last) * capacity, 0.05 * capacity);  // a queue of 50 ms
    last = now;
    if (tokens >= 1) {
      --tokens;
      retry_after.admitted();
      due.push(now - std::log(uniform()));
    } else {
      retry_after.refused(Time{} + 1h + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(now)));
      due.push(now + retry_after.seconds(static_cast<std::uint32_t>(random())));
    }
  }
  return arrivals;
}

TEST_CASE("clients that obey Retry-After do not return in a wave, and do not leave the API idle") {
  for (const int overload : {2, 5, 10}) {
    CAPTURE(overload);
    constexpr int kCapacity = 1000;
    const std::vector<int> arrivals = arrivals_of_obedient(overload * kCapacity, kCapacity, 120, 7);
    const double mean = std::accumulate(arrivals.begin() + 60, arrivals.end(), 0) / 60.0;
    const int peak = *std::max_element(arrivals.begin() + 60, arrivals.end());
    CHECK(peak <= 1.2 * mean);
    CHECK(mean >= 0.97 * kCapacity);
    CHECK(mean <= 1.5 * kCapacity);
  }
}

}  // namespace
