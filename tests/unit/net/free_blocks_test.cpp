#include "proxy/net/free_blocks.hpp"

#include <cstring>
#include <vector>

#include <doctest/doctest.h>

namespace {

TEST_CASE("a block that was given back is the next one of about its size, the latest first") {
  net::FreeBlocks blocks(10'000);
  void* const first = blocks.take(100);
  void* const second = blocks.take(128);
  std::memset(first, 1, 128);  // as large as any of its list
  blocks.give(first, 100);
  blocks.give(second, 128);
  void* const other = blocks.take(129);
  CHECK(other != first);
  CHECK(other != second);
  void* const latest = blocks.take(70);
  void* const next = blocks.take(128);
  if (net::FreeBlocks::kKeeps) {
    CHECK(latest == second);
    CHECK(next == first);
  }
  blocks.give(latest, 70);
  blocks.give(next, 128);
  blocks.give(other, 129);
}

TEST_CASE("once all have been given to the heap, there is room for as many again") {
  net::FreeBlocks blocks(128);
  blocks.give(blocks.take(128), 128);
  blocks.clear();
  void* const block = blocks.take(128);
  blocks.give(block, 128);
  void* const next = blocks.take(128);
  if (net::FreeBlocks::kKeeps) CHECK(next == block);
  blocks.give(next, 128);
}

/// A leak, or a block that is freed twice, fails under AddressSanitizer, which has the blocks kept nowhere.
TEST_CASE("blocks of all sizes go back, beyond what is kept too") {
  net::FreeBlocks blocks(1'000);
  std::vector<void*> taken;
  for (std::size_t size = 0; size < 3'000; size += 7) {
    taken.push_back(blocks.take(size));
    std::memset(taken.back(), 1, size);
  }
  std::size_t size = 0;
  for (void* const each : taken) {
    blocks.give(each, size);
    size += 7;
  }
}

}  // namespace
