#include "proxy/relay/arriving_bodies.hpp"

#include <list>

#include <doctest/doctest.h>

namespace spillway::relay {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kLimit = 1024 * kKiB;
constexpr Time kStart{};

struct Body final : ArrivingBody {
  void take_memory_back() override { ++taken_back; }
  int taken_back = 0;
};

TEST_CASE("half of the memory is for bodies that arrive, less where others hold much, and a sixteenth in any case") {
  CHECK(room_for_arriving(1600, 0) == 800);
  CHECK(room_for_arriving(1600, 700) == 800);
  CHECK(room_for_arriving(1600, 701) == 799);
  CHECK(room_for_arriving(1600, 1400) == 100);  // responses leave an eighth
  CHECK(room_for_arriving(1600, 1401) == 100);
  CHECK(room_for_arriving(1600, 9999) == 100);
  CHECK(room_for_arriving(0, 0) == 0);
}

/// Bodies of one worker, and what all hold.
struct Bodies {
  ArrivingMemory memory;
  ArrivingBodies here{memory};
  std::list<Body> bodies;
  std::size_t others = 0;

  Body& arrive(std::size_t size, std::uint64_t received, Time now) {
    Body& body = bodies.emplace_back();
    here.holds(body, size, received, now);
    return body;
  }
  ArrivingBody* next(Time now, std::size_t workers = 1) {
    return here.next_to_give_up(memory.held + others, kLimit, workers, now);
  }
};

TEST_CASE("beyond half of the memory the slowest is given up, whoever came first") {
  Bodies all;
  Body& steady = all.arrive(256 * kKiB, 20'000, kStart);
  Body& slow = all.arrive(256 * kKiB, 20'000, kStart);
  CHECK(all.next(kStart) == nullptr);  // half

  // Both have waited for 4 s; only one has sent on. The newest has waited for no time yet.
  all.here.holds(steady, 256 * kKiB, 40'000, kStart + 4s);
  all.here.holds(slow, 256 * kKiB, 20'001, kStart + 4s);
  Body& fresh = all.arrive(32 * kKiB, 1, kStart + 4s);
  CHECK(all.next(kStart + 4s) == &slow);
  CHECK(all.next(kStart + 4s) == nullptr);  // what the slow one still holds is on its way back
  CHECK(all.memory.held == 544 * kKiB);
  all.here.ends(slow);
  all.here.gave_back(slow);
  all.here.gave_back(slow);
  CHECK(all.memory.held == 288 * kKiB);
  CHECK(all.memory.leaving == 0);

  all.here.ends(steady);
  all.here.ends(fresh);
  all.here.gave_back(fresh);
  CHECK(all.memory.held == 0);
}

TEST_CASE("what has been given up and not come back yet counts neither for bodies nor for others") {
  Bodies all;
  all.others = 700 * kKiB;  // 260 KiB are left to bodies
  for (int i = 0; i < 5; ++i) all.arrive(64 * kKiB, 20'000, kStart);
  CHECK(all.next(kStart + 1s) == &all.bodies.front());
  CHECK(all.next(kStart + 1s) == nullptr);
}

TEST_CASE("a body may take more while it arrives") {
  Bodies all;
  Body& first = all.arrive(256 * kKiB, 20'000, kStart);
  Body& second = all.arrive(32 * kKiB, 20'000, kStart);
  all.here.holds(second, 512 * kKiB, 300'000, kStart + 1s);
  CHECK(all.memory.held == 768 * kKiB);
  CHECK(all.next(kStart + 1s) == &first);
  all.here.ends(second);
  all.here.gave_back(first);
  CHECK(all.memory.held == 0);
}

TEST_CASE("one body alone is never given up, and one without memory is not looked at") {
  Bodies all;
  all.arrive(kLimit, 20'000, kStart);
  Body& empty = all.arrive(0, 0, kStart);
  CHECK(all.next(kStart + 1s) == nullptr);
  all.here.ends(empty);
  CHECK(all.memory.held == kLimit);
}

TEST_CASE("a worker that holds less than its part gives up none for what another one holds") {
  Bodies all;
  ArrivingBodies there(all.memory);
  Body hoarder, second;
  there.holds(hoarder, 400 * kKiB, 1, kStart);
  there.holds(second, 100 * kKiB, 1, kStart);
  all.arrive(32 * kKiB, 20'000, kStart);
  all.arrive(32 * kKiB, 20'000, kStart);
  CHECK(all.next(kStart + 1s, 2) == nullptr);
  CHECK(there.next_to_give_up(all.memory.held, kLimit, 2, kStart + 1s) == &hoarder);
  there.ends(second);
}

TEST_CASE("the slowest is looked for among those that have waited longest") {
  Bodies all;
  for (int i = 0; i < ArrivingBodies::kCandidatesMax; ++i) all.arrive(8 * kKiB, 2, kStart);
  all.arrive(8 * kKiB, 1, kStart);
  CHECK(all.next(kStart + 1s) == &all.bodies.front());
}

}  // namespace
}  // namespace spillway::relay
