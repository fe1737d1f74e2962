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

TEST_CASE("all of a body but its end passes through a pipe, and nothing of a small one") {
  CHECK(Pipe::part_of(0) == 0);
  CHECK(Pipe::part_of(2 * Pipe::kSize) == 0);
  CHECK(Pipe::part_of(2 * Pipe::kSize + 1) == 1);
  CHECK(Pipe::part_of(std::uint64_t{1} << 40) == (std::uint64_t{1} << 40) - 2 * Pipe::kSize);
}

/// A stream whose bytes go into a pipe.
struct Spliced : Scene, Stream::Observer {
  Spliced() { stream().observe(this); }
  ~Spliced() {
    stream().close();
    run();
    CHECK_FALSE(stream().busy());
  }
  Stream& stream() const { return *from.stream; }
  void start(std::uint64_t most) {
    REQUIRE(stream().can_splice());
    stream().start_splice(*pipe, most);
  }
  void run() {
    loop.restart();
    loop.poll();
  }
  void on_unawaited_read(Stream& of) override {
    ++told;
    error = of.read_error();
  }
  /// What the pipe holds.
  std::string taken() const {
    std::string bytes(pipe->held(), '\0');
    pipe->read(bytes.data(), bytes.size());
    return bytes;
  }

  int told = 0;
  error_code error;
};

TEST_CASE("a stream puts what comes into a pipe, and nothing into memory") {
  Spliced s;
  s.start(12);
  CHECK_FALSE(s.stream().can_splice());
  s.run();
  CHECK(s.stream().reading());
  s.from.send("first and second");
  s.run();
  CHECK(s.told == 1);
  CHECK_FALSE(s.error);
  CHECK(s.taken() == "first and se");
  CHECK(s.stream().in.capacity() == 0);
  CHECK_FALSE(s.stream().reading());

  s.start(100);  // what was left is there already
  s.run();
  CHECK(s.told == 2);
  CHECK(s.taken() == "cond");
}

TEST_CASE("behind a part that went into a pipe a stream reads on into memory") {
  for (const bool waits : {true, false}) {
    CAPTURE(waits);
    Spliced s;
    s.from.send("body and what follows");
    s.start(5);
    s.run();
    CHECK(s.taken() == "body ");
    waits ? s.stream().await_input() : s.stream().start_read();
    s.run();
    CHECK(s.told == 2);
    CHECK(s.stream().in.view() == "and what follows");
    CHECK_FALSE(s.stream().can_splice());
  }
}

TEST_CASE("a stream that fills a pipe tells the end behind the last bytes") {
  for (const bool waits : {true, false}) {
    CAPTURE(waits);
    Spliced s;
    if (waits) s.start(100), s.run();
    s.from.send("last");
    s.from.leave();
    if (!waits) s.start(100);
    s.run();
    CHECK_FALSE(s.error);
    CHECK(s.taken() == "last");
    s.start(100);
    s.run();
    CHECK(s.told == 2);
    CHECK(s.error == asio::error::eof);
    CHECK(s.pipe->empty());
  }
}

TEST_CASE("a cancelled stream leaves the pipe empty, and goes on when it is asked again") {
  for (const bool waits : {true, false}) {
    CAPTURE(waits);
    Spliced s;
    s.start(100);
    if (waits) s.run();
    s.stream().cancel();
    s.run();
    CHECK(s.told == 1);
    CHECK(s.error == asio::error::operation_aborted);
    CHECK(s.pipe->empty());
    s.from.send("late");
    s.start(100);
    s.run();
    CHECK(s.told == 2);
    CHECK_FALSE(s.error);
    CHECK(s.taken() == "late");
  }
}

TEST_CASE("output goes before what a pipe holds behind it") {
  Scene s;
  s.from.send(" body");
  REQUIRE(s.fill(100) == 5);
  Gather output;
  output.add("head");
  CHECK(s.to.stream->write_now(output, s.pipe.get(), s.error));
  CHECK(s.to.received() == "head body");
  output.add("more");
  CHECK(s.to.stream->write_now(output, nullptr, s.error));
  CHECK(s.to.received() == "more");
  CHECK_FALSE(s.error);
}

}  // namespace
}  // namespace net
