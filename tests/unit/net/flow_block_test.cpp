// The block that a flowing body is read into.

#include "proxy/net/flow_block.hpp"

#include <algorithm>

#include <doctest/doctest.h>

namespace {

using namespace net;

constexpr std::size_t kPlenty = 10 * kLargeBlock;

struct Flow {
  asio::io_context loop;
  BlockPool pool;
  MemoryBudget budget;
  Stream stream{Transport(loop.get_executor()), pool};
  FlowBlock block{budget};

  /// A read brings `size` bytes, at most as many as there is room for, and they are used. What room there was.
  std::size_t read(std::size_t size, std::size_t limit = kPlenty) {
    block.prepare(stream, limit);
    stream.in.reserve(kBlockSize);
    const std::size_t room = stream.in.space_size();
    stream.in.produced(std::min(size, room));
    stream.in.consume(stream.in.size());
    return room;
  }
};

TEST_CASE("a body is read into a large block while it flows") {
  Flow flow;
  CHECK(flow.read(kLargeBlock) == kBlockSize);
  CHECK(flow.read(kLargeBlock) == kLargeBlock);
  CHECK(flow.budget.used() == kLargeBlock);
  CHECK(flow.read(kBlockSize) == kLargeBlock);
  CHECK(flow.read(kBlockSize - 1) == kLargeBlock);
  CHECK(flow.read(1) == kBlockSize);  // it rests
  CHECK(flow.budget.used() == 0);
  CHECK(flow.read(1) == kBlockSize);

  CHECK(flow.read(kBlockSize) == kBlockSize);
  CHECK(flow.read(kLargeBlock) == kLargeBlock);
  flow.block.end(flow.stream);
  CHECK(flow.budget.used() == 0);
  CHECK(flow.stream.in.capacity() == 0);
}

TEST_CASE("bytes that nobody has used yet stay where they are") {
  Flow flow;
  flow.read(kBlockSize - 10);
  flow.stream.in.produced(10);
  flow.block.prepare(flow.stream, kPlenty);
  CHECK(flow.stream.in.capacity() == kBlockSize);
  CHECK(flow.stream.in.size() == 10);
}

TEST_CASE("large blocks are taken from a budget") {
  Flow flow;
  REQUIRE(flow.budget.take(1, kPlenty));
  flow.read(kBlockSize, kLargeBlock);
  CHECK(flow.read(kBlockSize, kLargeBlock) == kBlockSize);
  flow.budget.give_back(1);
  CHECK(flow.read(kBlockSize, kLargeBlock) == kLargeBlock);
  CHECK(flow.budget.used() == kLargeBlock);
  flow.block.end(flow.stream);

  flow.read(kBlockSize, 0);
  CHECK(flow.read(kBlockSize, 0) == kBlockSize);
}

}  // namespace
