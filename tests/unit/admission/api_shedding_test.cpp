#include "proxy/admission/api_shedding.hpp"

#include <algorithm>

#include <doctest/doctest.h>

namespace {

using spillway::Time;
using spillway::admission::ApiShedding;
using namespace std::chrono_literals;

/// Sends as many requests as allowed in each millisecond of this time. `takes` decides which ones the API accepts.
template <class Takes>
int send(ApiShedding& shedding, Time& now, std::chrono::milliseconds duration, Takes takes) {
  int sent = 0;
  for (const Time end = now + duration; now < end; now += 1ms) {
    if (shedding.enough(now)) continue;
    shedding.sent(now);
    takes(sent++) ? shedding.taken(now, now) : shedding.shed(now, now);
  }
  return sent;
}

/// The API has been found to accept nothing.
void throttle(ApiShedding& shedding, Time now) {
  for (int i = 0; i < ApiShedding::kFlood; ++i) shedding.shed(now, now);
  REQUIRE(shedding.active(now));
}

TEST_CASE("no request is held back before the API sheds most of them") {
  ApiShedding shedding;
  Time now = Time{} + 1h;
  CHECK(send(shedding, now, 1s, [](int) { return true; }) == 1000);
  CHECK_FALSE(shedding.active(now));
  CHECK_FALSE(shedding.some(now));
  for (int i = 1; i < ApiShedding::kFlood; ++i) shedding.shed(now, now);
  CHECK_FALSE(shedding.active(now));
  CHECK_FALSE(shedding.some(now));
}

TEST_CASE("an API that accepts most requests is never throttled, at any rate and in any order") {
  struct Row {
    int shed, of;
    std::chrono::milliseconds apart;
  };
  for (const Row& row : {Row{1, 2, 1ms}, Row{1, 3, 1ms}, Row{1, 10, 1ms}, Row{1, 2, 50ms}, Row{1, 2, 500ms},
                         Row{3, 10, 10ms}, Row{9, 20, 200ms}}) {
    CAPTURE(row.shed);
    CAPTURE(row.of);
    ApiShedding shedding;
    Time now = Time{} + 1h;
    for (int i = 0; i < 10'000; ++i, now += row.apart) {
      REQUIRE_FALSE(shedding.enough(now));
      shedding.sent(now);
      i % row.of < row.shed ? shedding.shed(now, now) : shedding.taken(now, now);
    }
  }
}

TEST_CASE("a class with few requests is not throttled: there is no flood") {
  ApiShedding shedding;
  Time now = Time{} + 1h;
  for (int i = 0; i < 100; ++i, now += 200ms) {
    REQUIRE_FALSE(shedding.enough(now));
    shedding.sent(now);
    shedding.shed(now, now);
  }
}

TEST_CASE("the throttle ends by itself five seconds after the last shed request") {
  ApiShedding shedding;
  Time now = Time{} + 1h;
  throttle(shedding, now);
  CHECK(shedding.enough(now));
  now += ApiShedding::kEnd;
  CHECK_FALSE(shedding.active(now));
  CHECK_FALSE(shedding.enough(now));
}

TEST_CASE("answers that say nothing of load cost no other request its turn") {
  ApiShedding shedding;
  Time now = Time{} + 1h;
  throttle(shedding, now);
  now += 1s;
  for (int i = 0; i < 100; ++i) {
    REQUIRE_FALSE(shedding.enough(now));
    shedding.sent(now);
    shedding.discount(now);
  }
  shedding.sent(now);
  CHECK(shedding.enough(now));
}

TEST_CASE("what was sent before the throttle began is no reason to keep it") {
  ApiShedding shedding;
  const Time before = Time{} + 1h;
  Time now = before + 10ms;
  throttle(shedding, now);
  now += 1ms;
  for (int i = 0; i < 1000; ++i) shedding.shed(before, now);
  now += 1s;
  shedding.taken(now, now);
  CHECK_FALSE(shedding.active(now));
}

TEST_CASE("an API that accepts nothing gets about one request a second") {
  ApiShedding shedding;
  Time now = Time{} + 1h;
  throttle(shedding, now);
  const int sent = send(shedding, now, 60s, [](int) { return false; });
  CHECK(sent >= 55);
  CHECK(sent <= 70);
}

TEST_CASE("an API that accepts a hundred a second gets a hundred and fifty") {
  ApiShedding shedding;
  Time now = Time{} + 1h;
  throttle(shedding, now);
  Time counted = now;
  double room = 0;
  int taken = 0;
  const auto takes = [&](int) {  // 100 a second, with a queue of two
    room = std::min(2.0, room + 100 * std::chrono::duration<double>(now - counted).count());
    counted = now;
    if (room < 1) return false;
    --room;
    ++taken;
    return true;
  };
  send(shedding, now, 20s, takes);
  taken = 0;
  const int sent = send(shedding, now, 20s, takes);
  CAPTURE(taken);
  CHECK(taken >= 0.95 * 2000);
  CHECK(sent <= 1.6 * taken);
}

TEST_CASE("an API that accepts everything again gets everything again in about a second") {
  for (const auto shed_for : {20ms, 500ms, 1500ms, 10'000ms}) {
    CAPTURE(shed_for.count());
    ApiShedding shedding;
    Time now = Time{} + 1h;
    send(shedding, now, 5s, [](int) { return true; });
    send(shedding, now, shed_for, [](int i) { return i < 0; });
    send(shedding, now, 1400ms, [](int) { return true; });
    CHECK(send(shedding, now, 1s, [](int) { return true; }) == 1000);
  }
}

}  // namespace
