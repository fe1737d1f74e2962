// Bytes that pass from socket to socket within the kernel.

#include "proxy/net/pipe.hpp"

#include <array>
#include <csignal>
#include <string>
#include <string_view>

#include <doctest/doctest.h>
#include <sys/socket.h>

#include "tests/unit/net/peer.hpp"

namespace net {
namespace {

constexpr std::size_t kPlenty = 10 * Pipe::kSize;

struct Scene {
  asio::io_context loop;
  BlockPool blocks;
  MemoryBudget budget;
  Peer from{loop, blocks}, to{loop, blocks};
  std::unique_ptr<Pipe> pipe = Pipe::open(budget, kPlenty);
  error_code error;

  std::size_t fill(std::size_t most) { return pipe->fill(from.stream->transport(), most, error); }
  bool write_now() { return pipe->write_now(to.stream->transport(), error); }
};

TEST_CASE("a pipe carries what has come, and no more than it is asked for") {
  Scene s;
  REQUIRE(s.pipe);
  CHECK(s.fill(100) == 0);
  CHECK(s.error == asio::error::would_block);
  s.from.send("first and second");
  s.error = {};
  CHECK(s.fill(5) == 5);
  CHECK(s.pipe->held() == 5);
  CHECK(s.write_now());
  CHECK(s.to.received() == "first");
  CHECK(s.pipe->empty());
  CHECK(s.fill(100) == 11);
  CHECK(s.write_now());
  CHECK(s.to.received() == " and second");
  CHECK_FALSE(s.error);
}

TEST_CASE("the end of the input is told, and is no error") {
  Scene s;
  s.from.send("last");
  s.from.leave();
  CHECK(s.fill(100) == 4);
  CHECK(s.write_now());
  CHECK(s.fill(100) == 0);
  CHECK_FALSE(s.error);
}

TEST_CASE("what a full socket does not take stays, and can be taken into memory") {
  Scene s;
  const std::string before(64 * 1024, 'x');
  while (::send(s.to.stream->transport().descriptor(), before.data(), before.size(), 0) > 0) continue;
  s.from.send("first and second");
  REQUIRE(s.fill(kPlenty) == 16);
  CHECK_FALSE(s.write_now());
  CHECK_FALSE(s.error);
  CHECK(s.pipe->held() == 16);
  std::array<char, 100> kept;
  CHECK(s.pipe->read(kept.data(), 6) == 6);
  s.to.received();
  CHECK(s.write_now());
  CHECK(s.to.received() == "and second");
  CHECK(std::string_view(kept.data(), 6) == "first ");
  CHECK(s.pipe->empty());
}

TEST_CASE("a peer that has left is an error") {
  std::signal(SIGPIPE, SIG_IGN);  // as the process does
  Scene s;
  s.from.send("bytes");
  REQUIRE(s.fill(100) == 5);
  s.to.leave();
  CHECK_FALSE(s.write_now());
  CHECK(s.error == asio::error::broken_pipe);
}

TEST_CASE("pipes take memory out of the budget while they live") {
  MemoryBudget budget;
  {
    const auto first = Pipe::open(budget, Pipe::kSize);
    CHECK(first);
    CHECK(budget.used() == Pipe::kSize);
    CHECK_FALSE(Pipe::open(budget, Pipe::kSize));
  }
  CHECK(budget.used() == 0);
}

}  // namespace
}  // namespace net
