#include "proxy/net/buffer.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/net/backlog.hpp"
#include "proxy/net/stream.hpp"

namespace {

using namespace net;

void write(Buffer& buffer, std::string_view text) {
  buffer.reserve(text.size());
  REQUIRE(buffer.space_size() >= text.size());
  std::memcpy(buffer.space(), text.data(), text.size());
  buffer.produced(text.size());
}

TEST_CASE("a buffer holds no memory until it is needed, and none after release") {
  BlockPool pool;
  Buffer buffer(pool);
  CHECK_FALSE(buffer.has_block());
  CHECK(buffer.empty());
  CHECK(buffer.view().empty());
  CHECK(buffer.space_size() == 0);
  buffer.release();  // nothing to give back

  buffer.reserve(1);
  CHECK(buffer.has_block());
  CHECK(buffer.space_size() == kBlockSize);
  buffer.release();
  CHECK_FALSE(buffer.has_block());
  CHECK(buffer.empty());
  CHECK(buffer.space_size() == 0);
}

TEST_CASE("bytes come out as they went in, across consuming and moving") {
  BlockPool pool;
  Buffer buffer(pool);
  write(buffer, "GET / HTTP/1.1\r\n");
  write(buffer, "Host: a\r\n");
  CHECK(buffer.view() == "GET / HTTP/1.1\r\nHost: a\r\n");
  buffer.consume(16);
  CHECK(buffer.view() == "Host: a\r\n");
  CHECK(std::string_view(buffer.data(), buffer.size()) == buffer.view());

  SUBCASE("room behind the bytes is used without moving them") {
    const char* before = buffer.data();
    buffer.reserve(100);
    CHECK(buffer.data() == before);
  }
  SUBCASE("room in front of them is won by moving them, in the same block") {
    const char* block = buffer.data() - 16;
    buffer.reserve(kBlockSize - buffer.size());
    CHECK(buffer.data() == block);
    CHECK(buffer.space_size() == kBlockSize - buffer.size());
  }
  SUBCASE("more than a block moves them to a larger one") {
    buffer.reserve(3 * kBlockSize);
    CHECK(buffer.space_size() >= 3 * kBlockSize);
  }
  CHECK(buffer.view() == "Host: a\r\n");
  buffer.consume(buffer.size());
  CHECK(buffer.empty());
  buffer.reserve(kBlockSize);  // an empty buffer starts at its front again
  CHECK(buffer.space_size() >= kBlockSize);
}

TEST_CASE("a full block that is not consumed grows, and keeps every byte") {
  BlockPool pool;
  Buffer buffer(pool);
  std::string expected;
  for (int i = 0; expected.size() < 5 * kBlockSize; ++i) {
    const std::string piece = std::to_string(i) + ' ';
    write(buffer, piece);
    expected += piece;
    if (i % 3 == 0) {
      buffer.consume(1);
      expected.erase(0, 1);
    }
  }
  CHECK(buffer.view() == expected);
}

TEST_CASE("bytes that may stay for long move into as small a block as holds them, and back") {
  BlockPool pool;
  Buffer buffer(pool);
  write(buffer, "skipped GET / HT");
  buffer.consume(8);
  char* const block = buffer.data() - 8;
  buffer.fit(512);
  CHECK(buffer.view() == "GET / HT");
  CHECK(buffer.capacity() == 1024);
  CHECK(buffer.space_size() == 1024 - 8);
  CHECK(pool.take().get() == block);

  std::string expected = "GET / HT";
  while (expected.size() < 3 * kBlockSize) {
    const std::string piece(100, static_cast<char>('a' + expected.size() % 26));
    buffer.fit(512);
    CHECK(buffer.space_size() >= 512);
    CHECK(buffer.capacity() < 2 * (expected.size() + 512) + 1024);
    write(buffer, piece);
    expected += piece;
  }
  CHECK(buffer.view() == expected);

  Buffer small(pool);
  small.fit(1);
  CHECK(small.capacity() == 1024);
  write(small, "head");
  small.reserve(kBlockSize - 4);
  CHECK(small.capacity() == kBlockSize);
  CHECK(small.view() == "head");
}

TEST_CASE("a first reservation beyond a block is served whole") {
  BlockPool pool;
  Buffer buffer(pool);
  buffer.reserve(kBlockSize + 1);
  CHECK(buffer.space_size() >= kBlockSize + 1);
}

TEST_CASE("release, growth and destruction return standard blocks, and the one used last is taken first") {
  BlockPool pool;
  char* block = nullptr;
  const auto take_back = [&] {
    const BlockPool::Block taken = pool.take();
    return taken.get();
  };
  SUBCASE("release") {
    Buffer buffer(pool);
    buffer.reserve(1);
    block = buffer.space();
    buffer.release();
    CHECK(take_back() == block);
  }
  SUBCASE("destruction") {
    {
      Buffer buffer(pool);
      buffer.reserve(1);
      block = buffer.space();
    }
    CHECK(take_back() == block);
  }
  SUBCASE("growth") {
    Buffer buffer(pool);
    buffer.reserve(1);
    block = buffer.space();
    buffer.reserve(2 * kBlockSize);
    CHECK(take_back() == block);
  }
}

TEST_CASE("blocks of another size never enter the pool") {
  BlockPool pool;
  BlockPool::Block standard = pool.take();
  char* const address = standard.get();
  pool.give(std::move(standard));
  {
    Buffer large(pool);
    large.reserve(2 * kBlockSize);
    Buffer huge(pool);
    huge.reserve(5 * kBlockSize);
  }
  CHECK(pool.take().get() == address);
}

TEST_CASE("the pool keeps a limited number of blocks and frees the others") {
  constexpr std::size_t kKept = 64;
  BlockPool pool;
  std::vector<BlockPool::Block> blocks;
  std::vector<char*> addresses;
  for (std::size_t i = 0; i <= kKept; ++i) {
    blocks.push_back(pool.take());
    addresses.push_back(blocks.back().get());
  }
  for (BlockPool::Block& block : blocks) pool.give(std::move(block));
  for (std::size_t i = kKept; i-- > 0;) {
    blocks[i] = pool.take();
    CHECK(blocks[i].get() == addresses[i]);
  }
}

std::string joined(const Gather& gather) {
  std::string all;
  for (const auto& piece : gather.pieces()) all.append(static_cast<const char*>(piece.data()), piece.size());
  return all;
}

TEST_CASE("gathered output is the added pieces, after any part of it has been sent") {
  const std::string expected = "head5\r\nhello\r\n";
  for (std::size_t first = 0; first <= expected.size(); ++first) {
    for (std::size_t second = 0; second <= expected.size() - first; ++second) {
      CAPTURE(first);
      CAPTURE(second);
      Gather gather;
      CHECK(gather.empty());
      for (const std::string_view piece : {"head", "5\r\n", "hello", "\r\n"}) gather.add(piece);
      CHECK(gather.size() == expected.size());
      gather.consume(first);
      gather.consume(second);
      CHECK(joined(gather) == expected.substr(first + second));
      CHECK(gather.size() == expected.size() - first - second);
      CHECK(gather.empty() == (first + second == expected.size()));
      for (const auto& piece : gather.pieces()) CHECK(piece.size() > 0);
    }
  }
}

TEST_CASE("empty pieces are not gathered") {
  Gather gather;
  for (int i = 0; i < 10; ++i) gather.add("");
  CHECK(gather.empty());
  CHECK(gather.pieces().empty());
  gather.add("a");
  CHECK(gather.pieces().size() == 1);
}

TEST_CASE("a backlog gives bytes out as they came in, and holds the blocks they fill and no more") {
  BlockPool pool;
  Backlog backlog(pool);
  CHECK(backlog.memory() == 0);
  CHECK(backlog.memory_with(1) == kBlockSize);
  std::string in, out;
  std::size_t taken = 0;
  for (std::size_t round = 1; round <= 400; ++round) {
    const std::string piece(round * 977 % 40'000, static_cast<char>('a' + round % 26));
    const std::size_t expected = backlog.memory_with(piece.size());
    backlog.append(piece);
    in += piece;
    CHECK(backlog.memory() == expected);
    CHECK(backlog.size() == in.size() - taken);
    const Gather front = backlog.front();
    CHECK(front.size() > 0);
    std::size_t size = round % 50 == 0 ? front.size() : front.size() * (round % 7) / 6;
    for (const auto& bytes : front.pieces()) {
      const std::size_t part = std::min(size - std::min(size, out.size() - taken), bytes.size());
      out.append(static_cast<const char*>(bytes.data()), part);
    }
    size = out.size() - taken;
    backlog.consume(size);
    taken += size;
  }
  while (!backlog.empty()) {
    const Gather front = backlog.front();
    for (const auto& bytes : front.pieces()) out.append(static_cast<const char*>(bytes.data()), bytes.size());
    backlog.consume(front.size());
  }
  CHECK(out == in);
  CHECK(backlog.memory() == 0);
}

}  // namespace
