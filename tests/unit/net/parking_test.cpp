// Coroutines that wait.

#include "proxy/net/parking.hpp"

#include <memory>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/net/spawn.hpp"

namespace {

using net::Parking;
using net::Task;

Task<int> wait_twice(Parking& parking, int number) {
  co_await parking.wait();
  co_await parking.wait();
  co_return number;
}

Task<> collect(Parking& parking, int number, std::vector<int>& ended) {
  const int got = co_await wait_twice(parking, number);
  ended.push_back(got);
}

TEST_CASE("a coroutine goes on where it waited, and so do its callers") {
  constexpr int kCount = 1000;  // more than those whose frames are kept
  net::asio::io_context loop(1);
  for (int round = 0; round < 2; ++round) {
    std::vector<Parking> parkings(kCount);
    std::vector<int> ended, all;
    for (int i = 0; i < kCount; ++i) {
      net::spawn_vital(loop.get_executor(), collect(parkings[static_cast<std::size_t>(i)], i, ended), "test");
      all.push_back(i);
    }
    loop.restart();
    loop.poll();
    for (int waits = 0; waits < 2; ++waits) {
      CHECK(ended.empty());
      for (Parking& parking : parkings) {
        REQUIRE(parking.occupied());
        parking.resume();
      }
    }
    CHECK(ended == all);
    for (const Parking& parking : parkings) CHECK_FALSE(parking.occupied());
    loop.poll();
  }
}

TEST_CASE("a coroutine that waits for ever ends with its loop") {
  const auto alive = std::make_shared<int>();
  {
    net::asio::io_context loop(1);
    {
      Parking parking;
      const auto wait = [](Parking& at, std::shared_ptr<int>) -> Task<> { co_await at.wait(); };
      net::spawn_vital(loop.get_executor(), wait(parking, alive), "test");
      loop.poll();
      CHECK(parking.occupied());
      CHECK(alive.use_count() == 2);
    }
    loop.restart();
    loop.poll();
  }
  CHECK(alive.use_count() == 1);
}

}  // namespace
