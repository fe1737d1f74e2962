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
    takes(sent++) ? shedding.taken(now) : shedding.shed(now);
  }
  return sent;
}

TEST_CASE("no request is held back before the API sheds, nor later than five seconds after it did") {
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

TEST_CASE("an API that accepts nothing gets about one request a second") {
  ApiShedding shedding;
  Time now = Time{} + 1h;
  shedding.shed(now);
  const int sent = send(shedding, now, 60s, [](int) { return false; });
  CHECK(sent >= 55);
  CHECK(sent <= 70);
}

TEST_CASE("an API that accepts a hundred a second gets a hundred and fifty") {
  ApiShedding shedding;
  Time now = Time{} + 1h;
  shedding.shed(now);  // the API is known to accept nothing
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

TEST_CASE("an API that accepts everything again gets everything again within seconds") {
  ApiShedding shedding;
  Time now = Time{} + 1h;
  shedding.shed(now);
  send(shedding, now, 10s, [](int) { return false; });
  send(shedding, now, 6s, [](int) { return true; });
  CHECK(send(shedding, now, 1s, [](int) { return true; }) == 1000);
}

}  // namespace
