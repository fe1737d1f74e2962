#include "proxy/http2/abuse_meter.hpp"

#include <doctest/doctest.h>

namespace {

using namespace spillway;
using namespace std::chrono_literals;
using http2::Abuse;
using http2::AbuseMeter;

const Time kStart = Time{} + 1h;

/// How many events in a row are accepted at `now`.
int accepted(AbuseMeter& meter, Abuse kind, Time now) {
  int count = 0;
  while (!meter.note(kind, now)) ++count;
  return count;
}

TEST_CASE("a burst of ten seconds' worth is accepted, and one more is abuse") {
  AbuseMeter meter({.resets = 5, .frames = 3});
  CHECK(accepted(meter, Abuse::reset, kStart) == 50);
  CHECK(accepted(meter, Abuse::provoked, kStart) == 50);
  CHECK(accepted(meter, Abuse::ping, kStart) == 30);
  CHECK(accepted(meter, Abuse::settings, kStart) == 30);
}

TEST_CASE("the rate is accepted for ever, and a little more than the rate is not") {
  AbuseMeter meter({.frames = 10});
  Time now = kStart;
  bool abused = false;
  for (int i = 0; i < 10'000 && !abused; ++i) abused = meter.note(Abuse::ping, now += 100ms);
  CHECK_FALSE(abused);
  for (int i = 0; i < 10'000 && !abused; ++i) abused = meter.note(Abuse::ping, now += 90ms);
  CHECK(abused);
}

TEST_CASE("what the proxy has done explains events") {
  AbuseMeter meter({.frames = 1});
  for (int i = 0; i < 1000; ++i) {
    meter.explain(Abuse::window_update, 2);
    CHECK_FALSE(meter.note(Abuse::window_update, kStart));
    CHECK_FALSE(meter.note(Abuse::window_update, kStart));
  }
  // Nothing is saved up.
  meter.explain(Abuse::window_update, 1000);
  CHECK(accepted(meter, Abuse::window_update, kStart) == 10);
}

}  // namespace
