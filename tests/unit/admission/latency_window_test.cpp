#include "proxy/admission/latency_window.hpp"

#include <cmath>

#include <doctest/doctest.h>

namespace {

using namespace spillway::admission;
using namespace std::chrono_literals;

constexpr spillway::Time kBegin = spillway::Time{} + 1h;

TEST_CASE("a window compares the latency of each class with the class's own floor") {
  LatencyWindow window;
  window.begin(kBegin);
  for (int i = 0; i < 10; ++i) window.add(0, 0.002);
  for (int i = 0; i < 10; ++i) window.add(1, 0.200);
  LatencyWindow::Reading reading = window.read(kBegin + 1s);
  CHECK(reading.excess == doctest::Approx(0));
  CHECK(window.floor_seconds() == doctest::Approx(0.020));  // the geometric mean
  CHECK(window.spread() == doctest::Approx(0));             // each class is like itself

  // More calls of the slow class are no higher latency.
  window.begin(kBegin + 1s);
  for (int i = 0; i < 10; ++i) window.add(0, 0.002);
  for (int i = 0; i < 90; ++i) window.add(1, 0.200);
  const double rate = reading.rate;
  reading = window.read(kBegin + 2s);
  CHECK(reading.excess == doctest::Approx(0));
  CHECK(reading.rate - rate == doctest::Approx(std::log((10 * 0.002 + 90 * 0.200) / (10 * 0.002 + 10 * 0.200))));

  window.begin(kBegin + 2s);
  for (int i = 0; i < 10; ++i) window.add(0, 0.004);
  for (int i = 0; i < 10; ++i) window.add(1, 0.400);
  CHECK(window.read(kBegin + 3s).excess == doctest::Approx(std::log(2)));
}

TEST_CASE("a class that is new under load starts as far above its floor as the others are") {
  LatencyWindow window;
  window.begin(kBegin);
  for (int i = 0; i < 10; ++i) window.add(0, 0.010);
  window.read(kBegin + 1s);
  window.begin(kBegin + 1s);
  for (int i = 0; i < 10; ++i) window.add(0, 0.020);
  for (int i = 0; i < 10; ++i) window.add(1, 0.100);
  CHECK(window.read(kBegin + 2s).excess == doctest::Approx(std::log(2)));
  CHECK(window.floor_seconds() == doctest::Approx(std::sqrt(0.010 * 0.050)));
}

TEST_CASE("raised floors lower the excess and raise the work done") {
  LatencyWindow window;
  window.begin(kBegin);
  for (int i = 0; i < 10; ++i) window.add(0, 0.010);
  const double rate = window.read(kBegin + 1s).rate;
  window.raise_floors(std::log(3));
  const LatencyWindow::Reading reading = window.read(kBegin + 1s);
  CHECK(reading.excess == doctest::Approx(-std::log(3)));
  CHECK(reading.rate == doctest::Approx(rate + std::log(3)));
  window.follow(1);
  CHECK(window.read(kBegin + 1s).excess == doctest::Approx(0));
}

TEST_CASE("the edges of a window: no answer, no time, a latency of 0, a class beyond the last place") {
  LatencyWindow window;
  window.begin(kBegin);
  CHECK(window.read(kBegin).excess == 0);
  CHECK(window.floor_seconds() == 0);
  window.add(1'000'000, 0);
  const LatencyWindow::Reading reading = window.read(kBegin);
  CHECK(std::isfinite(reading.rate));
  CHECK(reading.excess == 0);
  CHECK(window.floor_seconds() == doctest::Approx(1e-6));
}

TEST_CASE("long calls hold more slots than short ones") {
  LatencyWindow window;
  window.begin(kBegin);
  for (int i = 0; i < 90; ++i) window.add(0, 0.002);
  for (int i = 0; i < 10; ++i) window.add(0, 0.100);
  const LatencyWindow::Reading reading = window.read(kBegin + 1s);
  CHECK(window.turnover() == doctest::Approx(0.085).epsilon(0.01));
  CHECK(window.variance() == doctest::Approx(6.2).epsilon(0.01));
  CHECK(window.spread() == doctest::Approx(1.174).epsilon(0.01));  // 0.3 * log 50
  CHECK(reading.error == doctest::Approx(0.1174).epsilon(0.01));
}

}  // namespace
