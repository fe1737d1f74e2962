// Examples of the buckets of a histogram.

#include "proxy/telemetry/exemplar.hpp"

#include <string>
#include <thread>

#include <doctest/doctest.h>

#include "proxy/telemetry/counters.hpp"

namespace spillway::telemetry {
namespace {

using namespace std::chrono_literals;

std::string id(char digit) {
  return std::string(32, digit);
}

std::string trace(const ExemplarSlot& slot) {
  const auto found = slot.read();
  return found ? std::string(found->trace_id.data(), found->trace_id.size()) : "";
}

TEST_CASE("the newest example stands for its bucket") {
  RequestHistogram histogram;
  CHECK_FALSE(histogram.exemplar(0).has_value());
  histogram.observe(110, {id('a'), false, Time(1s)});
  histogram.observe(115, {id('b'), false, Time(2s)});
  histogram.observe(0.5, {id('c'), false, Time(3s)});
  CHECK(histogram.bucket(8) == 2);
  REQUIRE(histogram.exemplar(8).has_value());
  CHECK(histogram.exemplar(8)->value == 115);
  CHECK(histogram.exemplar(8)->at == Time(2s));
  CHECK(std::string(histogram.exemplar(8)->trace_id.data(), 32) == id('b'));
  CHECK(histogram.exemplar(0)->value == 0.5);
  CHECK_FALSE(histogram.exemplar(1).has_value());
}

TEST_CASE("a sampled example, whose trace can be looked at, stays a minute unless another sampled one comes") {
  ExemplarSlot slot;
  slot.note(1, {id('a'), false, Time(10s)});
  slot.note(1, {id('b'), true, Time(11s)});
  slot.note(1, {id('c'), false, Time(12s)});
  CHECK(trace(slot) == id('b'));
  slot.note(1, {id('d'), true, Time(13s)});
  CHECK(trace(slot) == id('d'));
  slot.note(1, {id('e'), false, Time(72s)});
  CHECK(trace(slot) == id('d'));
  slot.note(1, {id('f'), false, Time(73s)});
  CHECK(trace(slot) == id('f'));
}

TEST_CASE("a reader never sees a half-written example") {
  ExemplarSlot slot;
  std::thread writer([&] {
    for (int i = 0; i < 100'000; ++i) {
      const char digit = static_cast<char>('a' + i % 6);
      slot.note(digit, {id(digit), true, Time(std::chrono::nanoseconds(digit))});
    }
  });
  for (int i = 0; i < 100'000; ++i) {
    const auto found = slot.read();
    if (!found) continue;
    const char digit = found->trace_id[0];
    const bool whole = std::string(found->trace_id.data(), 32) == id(digit) && found->value == digit &&
                       found->at.time_since_epoch().count() == digit;
    if (!whole) FAIL("half-written");
  }
  writer.join();
}

}  // namespace
}  // namespace spillway::telemetry
