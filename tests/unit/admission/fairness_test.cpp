#include <random>
#include <unordered_map>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/admission/key_counts.hpp"

namespace {

using spillway::admission::KeyCounts;

TEST_CASE("requests are counted by key, and a key is forgotten with its last request") {
  KeyCounts counts(10);
  CHECK(counts.add(7));
  CHECK(counts.add(7));
  CHECK(counts.add(8));
  CHECK(counts.count(7) == 2);
  CHECK(counts.count(8) == 1);
  CHECK(counts.count(9) == 0);
  counts.remove(7);
  counts.remove(7);
  CHECK(counts.count(7) == 0);
  CHECK(counts.keys() == 1);
}

TEST_CASE("requests without a key are not counted") {
  KeyCounts counts(10);
  CHECK_FALSE(counts.add(0));
  CHECK(counts.count(0) == 0);
  CHECK(counts.keys() == 0);
}

TEST_CASE("100,000 keys at a time are counted exactly, and keys beyond the bound are not counted") {
  KeyCounts counts(100);
  std::mt19937_64 random(1);
  std::vector<std::uint64_t> keys(KeyCounts::kMostKeys);
  for (std::uint64_t& key : keys) {
    key = random();
    REQUIRE(counts.add(key));
  }
  CHECK(counts.keys() >= 100'000);
  CHECK_FALSE(counts.add(random()));
  CHECK(counts.add(keys.front()));
  CHECK(counts.count(keys.front()) == 2);
  counts.remove(keys.front());
  for (const std::uint64_t key : keys) REQUIRE(counts.count(key) == 1);
  for (const std::uint64_t key : keys) counts.remove(key);
  CHECK(counts.keys() == 0);
  CHECK(counts.add(random()));
}

TEST_CASE("any order of additions and removals gives the same counts as a plain map, even for colliding keys") {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    std::minstd_rand random(seed);
    KeyCounts counts(8);
    std::unordered_map<std::uint64_t, int> model;
    for (int i = 0; i < 500; ++i) {
      // Few home slots, so that long runs of probes form, wrap around and get holes.
      const std::uint64_t key = 1 + random() % 4 + 64 * (random() % 6);
      if (random() % 2 == 0) {
        REQUIRE(counts.add(key));
        ++model[key];
      } else if (model[key] > 0) {
        counts.remove(key);
        --model[key];
      }
      std::size_t keys = 0;
      for (const auto& [known, count] : model) {
        REQUIRE(counts.count(known) == count);
        keys += count > 0;
      }
      REQUIRE(counts.keys() == keys);
    }
  }
}

}  // namespace
