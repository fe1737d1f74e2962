#include "proxy/admission/api_shedding.hpp"

#include <algorithm>

#include <doctest/doctest.h>

namespace {

using spillway::Time;
using spillway::admission::ApiShedding;
using namespace std::chrono_literals;

/// Offers as much as it may, each millisecond, for so long; the API takes each that `takes` says.
template <class Takes>
int send(ApiShedding& shedding, Time& now, std::chrono::milliseconds duration, Takes takes) {
  int sent = 0;
  for (const Time end = now + duration; now < end; now += 1ms) {
    if (shedding.enough(now)) continue;
    shedding.sent(now);
    takes(sent++) ? shedding.taken(now) : shedding.shed(now);
  }
  return sent;
}

TEST_CASE("nothing is held back before the API sheds, nor from five seconds after it did") {
  ApiShedding shedding;
  Time now = Time{} + 1h;
  CHECK(send(shedding, now, 1s, [](int) { return true; }) == 1000);
  CHECK_FALSE(shedding.active(now));
  shedding.shed(now);
  CHECK(shedding.active(now));
  now += ApiShedding::kEnd;
  CHECK_FALSE(shedding.active(now));
  CHECK_FALSE(shedding.enough(now));
}

TEST_CASE("of an API that takes nothing about one a second is asked") {
  ApiShedding shedding;
  Time now = Time{} + 1h;
  shedding.shed(now);
  const int sent = send(shedding, now, 60s, [](int) { return false; });
  CHECK(sent >= 55);
  CHECK(sent <= 70);
}

TEST_CASE("an API that takes a hundred a second is sent half as much again, and no less") {
  ApiShedding shedding;
  Time now = Time{} + 1h;
  shedding.shed(now);  // known to take nothing
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

TEST_CASE("an API that takes all again is sent all again within seconds") {
  ApiShedding shedding;
  Time now = Time{} + 1h;
  shedding.shed(now);
  send(shedding, now, 10s, [](int) { return false; });
  send(shedding, now, 6s, [](int) { return true; });
  CHECK(send(shedding, now, 1s, [](int) { return true; }) == 1000);
}

}  // namespace
