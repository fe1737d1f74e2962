#include "proxy/admission/standing_overload.hpp"

#include <initializer_list>

#include <doctest/doctest.h>

#include "proxy/admission/rates.hpp"

namespace {

using namespace spillway;
using namespace spillway::admission;
using namespace std::chrono_literals;

/// A line in front of an API that serves 1000 requests per second, looked at every 10 ms.
struct Line {
  void sees(double arriving, Duration wait, Duration period) {
    for (const Time end = now + period; now < end; now += 10ms) {
      overload.observe({.arriving = arriving, .lasting = arriving, .served = 1000}, wait, times, now);
    }
  }
  Time now = Time{} + 1h;
  OverloadTimes times = OverloadTimes({}, 1000, 10ms);
  StandingOverload overload;
};

TEST_CASE("more than is served for less than the patience is a burst") {
  Line line;
  line.sees(5000, 300ms, 490ms);
  CHECK_FALSE(line.overload.standing());
  line.sees(900, 300ms, 10ms);  // the burst is over, although its requests still wait
  line.sees(5000, 300ms, 490ms);
  CHECK_FALSE(line.overload.standing());
}

TEST_CASE("more than is served for as long as the patience is standing overload") {
  Line line;
  line.sees(2000, 100ms, 520ms);
  CHECK(line.overload.standing());
}

TEST_CASE("while waits are short, or will stay short, no overload is standing") {
  struct Row {
    double arriving;
    Duration wait;
    bool standing;
  };
  for (const Row& row : {Row{2000, 49ms, false}, Row{2000, 50ms, true}, Row{1200, 199ms, false}, Row{1200, 201ms, true},
                         Row{1010, 380ms, false}, Row{1010, 400ms, true}}) {
    CAPTURE(row.arriving);
    CAPTURE(row.wait.count());
    Line line;
    line.sees(row.arriving, row.wait, 2s);
    CHECK(line.overload.standing() == row.standing);
  }
}

TEST_CASE("standing overload ends when clearly less arrives than is served") {
  Line line;
  line.sees(2000, 100ms, 1s);
  line.sees(951, 0ms, 10s);
  CHECK(line.overload.standing());
  line.sees(949, 0ms, 10ms);
  CHECK_FALSE(line.overload.standing());
}

TEST_CASE("standing overload ends when many starts find a free slot, and not because the queue is empty") {
  Line line;
  line.sees(2000, 100ms, 1s);
  line.sees(2000, 0ms, 10s);
  CHECK(line.overload.standing());
  for (int i = 0; i < 2000; ++i) line.overload.started(i % 8 == 0);  // 12.5 %
  line.sees(2000, 0ms, 10ms);
  CHECK(line.overload.standing());
  for (int i = 0; i < 200; ++i) line.overload.started(i % 4 == 0);  // 25 %
  line.sees(2000, 0ms, 10ms);
  CHECK_FALSE(line.overload.standing());
}

TEST_CASE("a look after a long pause begins a new count of the patience") {
  Line line;
  line.sees(2000, 100ms, 20ms);
  line.now += 10s;
  line.sees(2000, 100ms, 490ms);
  CHECK_FALSE(line.overload.standing());
}

TEST_CASE("a target of 0 means that no overload is standing, and ends one that is") {
  Line line;
  line.sees(2000, 100ms, 1s);
  REQUIRE(line.overload.standing());
  line.times.target = 0ms;
  line.sees(2000, 100ms, 10s);
  CHECK_FALSE(line.overload.standing());
}

TEST_CASE("a slow API gets longer times: it serves too few requests to compare rates over 100 ms") {
  const OverloadTimes unknown({}, 0, 0ms), fast({}, 250, 40ms), slow({}, 50, 200ms), slower({}, 5, 2s);
  CHECK(unknown.interval == 100ms);
  CHECK(fast.interval == 100ms);
  CHECK(fast.patience == 500ms);
  CHECK(fast.target == 50ms);
  CHECK(slow.interval == 500ms);
  CHECK(slow.patience == 2500ms);
  CHECK(slow.target == 50ms);
  CHECK(slower.interval == 5s);
  CHECK(slower.patience == 25s);
  CHECK(slower.target == 500ms);
}

TEST_CASE("the arrival rate follows within an interval") {
  ArrivalRate rate;
  Time now = Time{} + 1h;
  CHECK(rate.per_second(now, 100ms) == 0);
  for (int i = 0; i < 1000; ++i) rate.arrived(now += 1ms, 100ms);
  CHECK(rate.per_second(now, 100ms) == doctest::Approx(1000).epsilon(0.1));
  CHECK(rate.per_second(now + 100ms, 100ms) < 200);
  CHECK(rate.per_second(now + 1s, 100ms) < 1);
}

TEST_CASE("the service rate counts starts for at least 100 ms and 20 starts, and only while requests wait") {
  ServiceRate rate;
  Time now = Time{} + 1h;
  rate.waiting();
  for (int i = 0; i < 100; ++i) rate.started(now += 1ms);
  CHECK(rate.per_second() == 0);
  rate.started(now += 1ms);
  CHECK(rate.per_second() == doctest::Approx(1000));

  now += 1h;  // nobody waited
  rate.waiting();
  for (int i = 0; i < 21; ++i) rate.started(now += 10ms);
  CHECK(rate.per_second() == doctest::Approx(1000 - 200.0 / 300 * (1000 - 100)));
}

/// Counts, each of 100 ms, while requests wait.
void count(ServiceRate& rate, Time& now, std::initializer_list<int> counts) {
  rate.waiting();
  rate.started(now);
  for (const int starts : counts) {
    for (int i = 1; i < starts; ++i) rate.started(now + i * 100ms / starts);
    rate.started(now += 100ms);
  }
}

TEST_CASE("the first counts of the service rate weigh the same, and none decides alone") {
  struct Row {
    int first;
    double mean;
  };
  for (const Row& row : {Row{60, 920}, Row{160, 1120}}) {
    ServiceRate rate;
    Time now = Time{} + 1h;
    CHECK(rate.trust() == 0);
    count(rate, now, {row.first});
    CHECK(rate.per_second() == doctest::Approx(10 * row.first));
    CHECK(rate.trust() == doctest::Approx(0.2));
    count(rate, now, {100, 100, 100});
    CHECK(rate.trust() == doctest::Approx(0.8));
    count(rate, now, {100});
    CHECK(rate.trust() == doctest::Approx(1));
    CHECK(rate.per_second() == doctest::Approx(row.mean));
    count(rate, now, {100});  // from now on each has a fifth of the weight
    CHECK(rate.per_second() == doctest::Approx(row.mean + 0.2 * (1000 - row.mean)));
  }
}

TEST_CASE("one long count of a slow API is as good as several short ones") {
  ServiceRate rate;
  Time now = Time{} + 1h;
  rate.waiting();
  for (int i = 0; i < 21; ++i) rate.started(now += 30ms);
  CHECK(rate.trust() == 1);
}

TEST_CASE("a service rate that was counted before nobody waited for a while is not current") {
  struct Row {
    int starts;
    Duration kept;
  };
  for (const Row& row : {Row{100, 500ms}, Row{20, 2s}}) {
    ServiceRate rate;
    Time now = Time{} + 1h;
    count(rate, now, {row.starts, row.starts, row.starts, row.starts, row.starts});
    rate.idle(now + row.kept);
    CHECK(rate.current());
    CHECK(rate.trust() == doctest::Approx(1));
    rate.idle(now + row.kept + 1ms);
    CHECK_FALSE(rate.current());
    CHECK(rate.trust() == 0);
    CHECK(rate.per_second() == doctest::Approx(10 * row.starts));  // the last that is known
    count(rate, now, {50});
    CHECK(rate.current());
    CHECK(rate.per_second() == doctest::Approx(500));
  }
}

TEST_CASE("the service rate is right for slots that become free together") {
  ServiceRate rate;
  Time now = Time{} + 1h;
  rate.waiting();
  for (int round = 0; round < 12; ++round, now += 10ms) {
    for (int slot = 0; slot < 10; ++slot) rate.started(now);
  }
  CHECK(rate.per_second() == doctest::Approx(1000));
}

}  // namespace
