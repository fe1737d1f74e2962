// When the API is polled: before, during and after an outage.
#include "proxy/upstream/poll_schedule.hpp"

#include <functional>
#include <random>

#include <doctest/doctest.h>

namespace spillway::upstream {
namespace {

using namespace std::chrono_literals;
using Found = PollSchedule::Found;

const Time kStart = Time() + 1h;

/// A schedule and its clock. `random`: of every pause; 0 makes none longer.
struct Scene {
  explicit Scene(Duration interval = 1s) { schedule.configure(interval, now); }
  /// Goes on to the next poll, which takes no time.
  bool poll(Found found) {
    now = std::max(now, schedule.due());
    schedule.begins(now);
    return schedule.ended(found, random, now);
  }
  /// How many polls find this until then.
  int polls_until(Time end, Found found) {
    int count = 0;
    for (; schedule.due() < end; ++count) poll(found);
    return count;
  }
  bool refuse() { return schedule.unreachable(random, now); }
  Duration pause() const { return schedule.due() - now; }

  PollSchedule schedule;
  Time now = kStart;
  std::uint32_t random = 0;
};

TEST_CASE("an API that is well is polled at once and then every interval, a failing one ten times as often") {
  Scene scene;
  CHECK(scene.pause() == 0s);
  for (const Found found : {Found::good, Found::unknown}) {
    CHECK(scene.poll(found));
    CHECK(scene.pause() == 1s);
  }
  for (const Found found : {Found::bad, Found::silence}) {
    CHECK(scene.poll(found));
    CHECK(scene.pause() == 100ms);
  }
  CHECK(scene.poll(Found::good));
  CHECK(scene.pause() == 1s);
}

TEST_CASE("a refused request brings a poll at once, and the more follow the younger the outage is") {
  Scene scene(60s);
  scene.poll(Found::good);
  scene.now += 30s;
  CHECK(scene.refuse());
  CHECK(scene.pause() == 10ms);
  CHECK_FALSE(scene.refuse());  // it is due already
  const Time began = scene.now;
  CHECK(scene.polls_until(began + 500ms, Found::nobody) == 49);
  CHECK(scene.pause() == 10ms);
  for (const Duration lasted : {1s, 5s, 20s}) {
    scene.polls_until(began + lasted, Found::nobody);
    CHECK(scene.pause() <= lasted / 100);
    CHECK(scene.pause() >= lasted / 110);
  }
  // Never less often than ten times an interval.
  scene.polls_until(began + 1h, Found::nobody);
  CHECK(scene.pause() == 6s);
}

TEST_CASE("a refused poll begins an outage, too") {
  Scene scene;
  scene.poll(Found::good);
  CHECK(scene.poll(Found::nobody));
  CHECK(scene.pause() == 10ms);
  CHECK(scene.poll(Found::good));
  CHECK(scene.pause() == 1s);
}

TEST_CASE("an outage becomes at most 1.25 % longer by polling, or a tenth of an interval, and polls stay few") {
  std::minstd_rand random(7);
  struct Row {
    Duration interval, outage;
    int polls;
  };
  for (const Row& row : {Row{1s, 300ms, 30}, Row{1s, 1s, 100}, Row{1s, 1min, 850}, Row{1min, 1s, 100},
                         Row{1min, 1h, 1300}, Row{50ms, 1s, 200}}) {
    CAPTURE(row.outage.count());
    Scene scene(row.interval);
    scene.poll(Found::good);
    scene.now += 20ms;
    const Time began = scene.now, end = began + row.outage;
    scene.refuse();
    int polls = 0;
    for (; scene.schedule.due() < end; ++polls) {
      scene.random = static_cast<std::uint32_t>(random()) << 1;
      scene.poll(Found::nobody);
    }
    CHECK(polls <= row.polls);
    const Duration pause = std::max<Duration>(row.outage / 100, 10ms);
    CHECK(scene.schedule.due() - end <= std::min(pause, row.interval / 10) * 5 / 4);
  }
}

TEST_CASE("many proxies that notice the same moment poll at different moments") {
  Scene early, late;
  late.random = 0xffffffff;
  for (Scene* const scene : {&early, &late}) {
    scene->poll(Found::good);
    scene->refuse();
  }
  CHECK(early.pause() == 10ms);
  CHECK(late.pause() > 12ms);
  CHECK(late.pause() < 12500us);
  for (Scene* const scene : {&early, &late}) {
    scene->polls_until(kStart + 1h, Found::silence);
    scene->poll(Found::silence);
  }
  CHECK(early.pause() == 100ms);
  CHECK(late.pause() > 120ms);
  CHECK(late.pause() < 125ms);
}

TEST_CASE("polls that come sooner than they had to do not count as failed ones") {
  Scene scene;
  scene.poll(Found::good);
  scene.refuse();
  CHECK_FALSE(scene.poll(Found::nobody));
  CHECK_FALSE(scene.poll(Found::silence));
  scene.polls_until(kStart + 1s, Found::nobody);
  CHECK(scene.now < kStart + 1s);
  CHECK(scene.schedule.due() == kStart + 1s);  // where it would have been without the outage
  CHECK(scene.poll(Found::nobody));
  CHECK_FALSE(scene.poll(Found::nobody));
  scene.polls_until(kStart + 1100ms, Found::nobody);
  CHECK(scene.poll(Found::nobody));
  // A good one always counts.
  CHECK(scene.poll(Found::good));
}

TEST_CASE("requests that are refused while polls are good do not make polls more frequent for ever") {
  Scene scene;
  scene.poll(Found::good);
  int polls = 0;
  for (; scene.now < kStart + 100s; ++polls) {
    scene.refuse();  // the trial that the good poll allows
    scene.poll(Found::good);
  }
  CHECK(polls < 1300);  // ten a second, and some more at the beginning

  // Once the API has been well for a second, the next outage is a new one.
  scene.poll(Found::good);
  CHECK(scene.pause() == 1s);
  scene.poll(Found::good);
  scene.refuse();
  CHECK(scene.pause() == 10ms);
}

TEST_CASE("a poll that was under way when a request was refused does not put the next one off") {
  Scene scene;
  scene.poll(Found::good);
  scene.now += 1s;
  scene.schedule.begins(scene.now);
  scene.now += 3ms;
  scene.refuse();
  scene.now += 2ms;
  SUBCASE("it was cut") {
    scene.schedule.ended(Found::bad, 0, scene.now);
    CHECK(scene.pause() == 10ms);
  }
  SUBCASE("it is answered all the same") {
    scene.schedule.ended(Found::good, 0, scene.now);
    CHECK(scene.pause() == 995ms);
  }
}

TEST_CASE("new addresses of a failing API are polled at once, those of a good one in their turn") {
  Scene scene;
  scene.poll(Found::good);
  CHECK_FALSE(scene.schedule.moved(scene.now));
  CHECK(scene.pause() == 1s);
  scene.poll(Found::silence);
  CHECK(scene.schedule.moved(scene.now));
  CHECK(scene.pause() == 0s);

  // They come while the old ones are asked.
  scene.schedule.begins(scene.now);
  scene.now += 10ms;
  CHECK_FALSE(scene.schedule.moved(scene.now));
  scene.now += 10ms;
  scene.schedule.ended(Found::silence, 0, scene.now);
  CHECK(scene.pause() == 0s);
}

TEST_CASE("without polls, neither a refused request nor a new address brings one") {
  Scene scene(0s);
  scene.schedule.rest();
  CHECK_FALSE(scene.refuse());
  CHECK_FALSE(scene.schedule.moved(scene.now));
  CHECK(scene.schedule.due() == Time::max());
  scene.schedule.configure(1s, scene.now);
  CHECK(scene.pause() == 0s);
}

}  // namespace
}  // namespace spillway::upstream
