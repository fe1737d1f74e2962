#include "proxy/admission/client_usage.hpp"

#include <random>
#include <unordered_map>
#include <vector>

#include <doctest/doctest.h>

namespace {

using spillway::Time;
using spillway::admission::ClientUsage;
using namespace std::chrono_literals;

constexpr Time kNow = Time{} + 1h;

TEST_CASE("requests are counted by key, and a key is forgotten with its last request") {
  ClientUsage clients(10);
  CHECK(clients.add(7, kNow));
  CHECK(clients.add(7, kNow));
  CHECK(clients.add(8, kNow));
  CHECK(clients.requests(7) == 2);
  CHECK(clients.requests(8) == 1);
  CHECK(clients.requests(9) == 0);
  clients.remove(7);
  clients.remove(7);
  CHECK(clients.requests(7) == 0);
  CHECK(clients.keys() == 1);
}

TEST_CASE("requests without a key are not counted") {
  ClientUsage clients(10);
  CHECK_FALSE(clients.add(0, kNow));
  CHECK(clients.requests(0) == 0);
  CHECK(clients.keys() == 0);
}

TEST_CASE("100,000 keys at a time are counted exactly, and keys beyond the bound are not counted") {
  ClientUsage clients(100);
  std::mt19937_64 random(1);
  std::vector<std::uint64_t> keys(ClientUsage::kMostKeys);
  for (std::uint64_t& key : keys) {
    key = random();
    REQUIRE(clients.add(key, kNow));
  }
  CHECK(clients.keys() >= 100'000);
  CHECK_FALSE(clients.add(random(), kNow));
  CHECK(clients.add(keys.front(), kNow));
  CHECK(clients.requests(keys.front()) == 2);
  clients.remove(keys.front());
  for (const std::uint64_t key : keys) REQUIRE(clients.requests(key) == 1);
  for (const std::uint64_t key : keys) clients.remove(key);
  CHECK(clients.keys() == 0);
  CHECK(clients.add(random(), kNow));
}

TEST_CASE("the slots of a client are an average over about a second, and outlast its last request") {
  ClientUsage clients(10);
  Time now = kNow;
  REQUIRE(clients.add(7, now));
  clients.start(7, now);
  CHECK(clients.slots(7, now) == 0);
  CHECK(clients.slots(7, now + 1s) == doctest::Approx(0.632).epsilon(0.01));
  now += 10s;
  CHECK(clients.slots(7, now) == doctest::Approx(1).epsilon(0.01));
  clients.finish(7, now);
  clients.remove(7);
  CHECK(clients.slots(7, now + 1s) == doctest::Approx(0.368).epsilon(0.01));
  CHECK(clients.keys() == 0);
}

TEST_CASE("a client holds its slots longer than others if each is held for more than twice as long") {
  ClientUsage clients(8);
  Time now = kNow;
  const auto use = [&](std::uint64_t key, spillway::Duration held) {
    REQUIRE(clients.add(key, now));
    clients.start(key, now);
    now += held;
    clients.finish(key, now);
    clients.remove(key);
  };
  use(7, 10ms);
  CHECK(clients.holds_longer(7, now));  // nobody else is known
  for (int i = 0; i < 100; ++i) {
    use(1, 10ms);
    use(7, 15ms);
    use(2, 10ms);
    use(3, 60ms);
  }
  CHECK_FALSE(clients.holds_longer(1, now));
  CHECK_FALSE(clients.holds_longer(7, now));
  CHECK(clients.holds_longer(3, now));
  CHECK(clients.holds_longer(3, now + 3s));
  // One that has just begun, and does not end.
  REQUIRE(clients.add(8, now));
  clients.start(8, now);
  CHECK_FALSE(clients.holds_longer(8, now + 10ms));
  CHECK(clients.holds_longer(8, now + 200ms));
}

TEST_CASE("a client without a request gives its place up to others, the heavy users last") {
  ClientUsage clients(8);  // 16 entries, at most half of them used
  for (std::uint64_t key = 1; key <= 8; ++key) {
    REQUIRE(clients.add(key, kNow));
    clients.start(key, kNow);
    clients.finish(key, kNow + (key == 3 ? 1s : 1ms));
    clients.remove(key);
  }
  CHECK(clients.slots(3, kNow + 1s) > 0.5);
  REQUIRE(clients.add(100, kNow + 1s));
  CHECK(clients.slots(3, kNow + 1s) > 0.5);
  CHECK(clients.slots(4, kNow + 1s) == 0);
  for (std::uint64_t key = 200; key < 220; ++key) REQUIRE(clients.add(key, kNow + 1s));
  CHECK(clients.slots(3, kNow + 1s) == 0);
  CHECK(clients.keys() == 21);
}

TEST_CASE("any order of additions and removals gives the same counts as a plain map, even for colliding keys") {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    std::minstd_rand random(seed);
    ClientUsage clients(8);
    std::unordered_map<std::uint64_t, int> model;
    for (int i = 0; i < 500; ++i) {
      // Few home slots, so that long runs of probes form, wrap around and get holes.
      const std::uint64_t key = 1 + random() % 4 + 64 * (random() % 6);
      if (random() % 2 == 0) {
        REQUIRE(clients.add(key, kNow));
        ++model[key];
      } else if (model[key] > 0) {
        clients.remove(key);
        --model[key];
      }
      std::size_t keys = 0;
      for (const auto& [known, count] : model) {
        REQUIRE(clients.requests(known) == count);
        keys += count > 0;
      }
      REQUIRE(clients.keys() == keys);
    }
  }
}

}  // namespace
