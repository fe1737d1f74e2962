// Which clients keep a rate, and which one loses its slot first. There is no clock: time is an argument.
#include "proxy/relay/pace.hpp"

#include <utility>

#include <doctest/doctest.h>

#include "proxy/relay/slow_clients.hpp"

namespace {

using namespace spillway;
using namespace std::chrono_literals;
using relay::Pace;
using relay::SlotHolder;

constexpr std::uint64_t kKiB = 1024;

/// Seconds until a side that sends `bytes` every `interval` is late; 0: not within an hour.
int late_after(std::uint64_t rate, std::uint64_t bytes, std::chrono::seconds interval) {
  Pace pace(rate, 5s);
  Time now{};
  pace.begin(now);
  for (int second = 1; second <= 3600; ++second) {
    now += 1s;
    if (pace.late_by(now) > 0s) return second;
    if (second % interval.count() == 0) pace.moved(bytes, now);
  }
  return 0;
}

TEST_CASE("a client that keeps the rate is never late; a silent one is after five seconds, a slow one little later") {
  CHECK(late_after(kKiB, 0, 1s) == 6);
  CHECK(late_after(kKiB, 1, 4s) == 6);
  CHECK(late_after(kKiB, kKiB / 2, 1s) == 10);
  CHECK(late_after(kKiB, kKiB, 1s) == 0);
  CHECK(late_after(kKiB, 3 * kKiB, 3s) == 0);
  CHECK(late_after(kKiB, 10 * kKiB, 6s) == 6);  // a large piece does not excuse a long silence
  CHECK(late_after(0, 0, 1s) == 0);
}

TEST_CASE("only the time in which the other side waits counts") {
  Pace pace(kKiB, 5s);
  Time now{};
  for (int i = 0; i < 100; ++i) {
    pace.begin(now);
    now += 40ms;
    pace.end(0, now);
    now += 1min;
  }
  CHECK(pace.late_by(now) == -1s);
  CHECK(pace.left(now) == 1s);
  pace.begin(now);
  CHECK(pace.left(now + 400ms) == 600ms);
  CHECK(pace.left(now + 2s) == 0s);
  CHECK(pace.late_by(now + 2s) == 1s);
}

TEST_CASE("bytes that come early count in advance for at most five seconds") {
  Pace pace(1, 5s);
  Time now{};
  pace.begin(now);
  pace.moved(~std::uint64_t{0}, now);
  CHECK(pace.left(now) == 5s);
  CHECK(pace.late_by(now + 6s) == 1s);
}

struct Holder final : SlotHolder {
  void wait(Time now) { tempo.begin(now); }
  void moved(std::uint64_t bytes, Time now) { tempo.moved(bytes, now); }
  void look(Time now) override {
    ++looks;
    tempo.moved(std::exchange(unseen, 0), now);
  }
  void take_slot_back() override { leave(); }
  std::uint64_t unseen = 0;
  int looks = 0;
};

TEST_CASE("the slowest client loses its slot first; a client that is not slow keeps it") {
  relay::SlowClients clients;
  Holder silent, slow, quick, idle;
  Time now{};
  for (Holder* holder : {&idle, &slow, &silent, &quick}) clients.join(*holder);
  for (Holder* holder : {&slow, &silent, &quick}) holder->wait(now);
  CHECK(clients.slowest(now) == nullptr);
  for (int i = 0; i < 10; ++i) {
    now += 100ms;
    slow.moved(400, now);
    quick.moved(4 * kKiB, now);
  }
  CHECK(clients.slowest(now) == &silent);
  silent.leave();
  CHECK(clients.slowest(now) == &slow);
  slow.leave();
  CHECK(clients.slowest(now) == nullptr);
  CHECK(quick.looks == 0);
  CHECK_FALSE(slow.holds_slot());

  clients.join(slow);  // with its next request it starts anew
  slow.wait(now);
  CHECK(clients.slowest(now) == nullptr);
}

TEST_CASE("before a client loses its slot, bytes that have moved unnoticed are counted") {
  relay::SlowClients clients;
  Holder reader;
  Time now{};
  clients.join(reader);
  reader.wait(now);
  reader.unseen = 1024 * kKiB;
  now += 2s;
  CHECK(clients.slowest(now) == nullptr);
  CHECK(reader.looks == 1);
  CHECK(clients.slowest(now + 1s) == &reader);
}

}  // namespace
