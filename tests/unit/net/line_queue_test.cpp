// Lines reach their reader, or are counted.

#include "proxy/net/line_queue.hpp"

#include <array>
#include <chrono>
#include <string>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "proxy/net/line_writer.hpp"

namespace net {
namespace {

constexpr std::size_t kBatches = 16;
constexpr std::chrono::seconds kPatience{30};
constexpr std::chrono::milliseconds kMoment{20};  // for what never comes
constexpr std::size_t kLong = 100'000;            // bytes of a line that a pipe does not hold

void write(LineQueue& queue, const std::string& line) {
  queue.add(line, true);
  REQUIRE(queue.flush(kPatience));
}

/// A pipe whose contents a test can take.
struct Pipe {
  Pipe() {
    REQUIRE(::pipe(ends.data()) == 0);
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  }
  ~Pipe() {
    for (const int end : ends) ::close(end);
  }
  std::string take() {
    std::string text(1 << 20, '\0');
    const ssize_t got = ::read(ends[0], text.data(), text.size());
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }
  /// Waits for them. Fewer: they did not come.
  std::size_t take_bytes(std::size_t wanted) {
    std::size_t taken = 0;
    pollfd readable{ends[0], POLLIN, 0};
    std::string text(wanted, '\0');
    while (taken < wanted && ::poll(&readable, 1, 30'000) == 1) {
      const ssize_t got = ::read(ends[0], text.data(), wanted - taken);
      taken += got > 0 ? static_cast<std::size_t>(got) : 0;
    }
    return taken;
  }
  std::array<int, 2> ends{};
};

TEST_CASE("lines gather until one is written at once, and reach the reader in their order") {
  Pipe pipe;
  LineQueue queue(pipe.ends[1], kBatches);
  queue.add("one", false);
  CHECK(pipe.take().empty());
  write(queue, "two");
  CHECK(pipe.take() == "one\ntwo\n");
  CHECK(queue.dropped() == 0);
}

TEST_CASE("the tick and the end of the queue write what has gathered") {
  Pipe pipe;
  {
    LineQueue queue(pipe.ends[1], kBatches);
    queue.add("tick", false);
    queue.tick();
    REQUIRE(queue.flush(kPatience));
    CHECK(pipe.take() == "tick\n");
    queue.add("end", false);
  }
  CHECK(pipe.take() == "end\n");
}

TEST_CASE("a full disk costs lines, and each is counted") {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  REQUIRE(full >= 0);
  LineQueue queue(full, kBatches);
  for (int i = 0; i < 3; ++i) queue.add("lost", false);
  write(queue, "lost, too");
  CHECK(queue.dropped() == 4);
  ::close(full);
}

TEST_CASE("after close, lines that a stalled reader does not take are dropped and counted") {
  Pipe pipe;
  LineQueue queue(pipe.ends[1], kBatches);
  queue.close();
  constexpr int kLines = 200;
  for (int i = 0; i < kLines; ++i) queue.add(std::string(1023, 'x'), false);
  REQUIRE(queue.flush(kPatience));
  const auto taken = pipe.take().size() / 1024;
  CHECK(taken + queue.dropped() == kLines);
  CHECK(taken == 64);  // the size of a pipe
}

TEST_CASE("the end of a full queue waits for a stalled reader once, not for each batch") {
  constexpr std::size_t kMany = 128;
  Pipe pipe;
  const auto began = [&] {
    LineQueue queue(pipe.ends[1], kMany);
    for (std::size_t i = 0; i < 2 * kMany; ++i) queue.add(std::string(kLong, 'x'), true);
    return std::chrono::steady_clock::now();
  }();
  const auto took = std::chrono::steady_clock::now() - began;
  CHECK(took >= LineWriter::kFarewell / 2);  // it did stall
  CHECK(took < 3 * LineWriter::kFarewell);
}

TEST_CASE("a line that was written in part is ended before the next one, and counted once") {
  Pipe pipe;
  LineQueue queue(pipe.ends[1], kBatches);
  queue.close();  // it gives up on a full pipe
  constexpr std::size_t kLine = 100'000;
  write(queue, std::string(kLine, 'x'));
  CHECK(queue.dropped() == 1);
  CHECK(pipe.take().size() < kLine);
  write(queue, "whole");
  CHECK(pipe.take() == "\nwhole\n");
  CHECK(queue.dropped() == 1);
}

TEST_CASE("a queue that is full overwrites its oldest lines, and counts them") {
  Pipe pipe;
  LineQueue queue(pipe.ends[1], kBatches);
  // The writer stalls on the first line; the others fill the queue many times over.
  constexpr int kLines = 200;
  queue.add(std::string(100'000, 'x'), true);
  pollfd begun{pipe.ends[0], POLLIN, 0};
  REQUIRE(::poll(&begun, 1, 30'000) == 1);
  for (int i = 0; i < kLines; ++i) queue.add("line", true);
  CHECK(queue.dropped() == kLines - kBatches);
  queue.close();
}

TEST_CASE("a flush waits for its own lines, whatever became of an earlier one that timed out") {
  Pipe pipe;
  LineQueue queue(pipe.ends[1], kBatches);
  // Each line is longer than the pipe holds, so its flush times out until the test reads.
  const auto stall = [&] {
    queue.add(std::string(kLong, 'x'), true);
    CHECK_FALSE(queue.flush(kMoment));
  };
  stall();
  CHECK(pipe.take_bytes(kLong + 1) == kLong + 1);
  stall();
  CHECK(pipe.take_bytes(kLong + 1) == kLong + 1);
  write(queue, "end");
  CHECK(pipe.take() == "end\n");
}

TEST_CASE("a flush that finds the queue full counts the lines that it overwrites, and waits for the rest") {
  Pipe pipe;
  LineQueue queue(pipe.ends[1], kBatches);
  queue.add(std::string(kLong, 'x'), true);
  pollfd begun{pipe.ends[0], POLLIN, 0};
  REQUIRE(::poll(&begun, 1, 30'000) == 1);
  for (std::size_t i = 0; i < kBatches; ++i) queue.add("line", true);
  CHECK(queue.dropped() == 0);
  CHECK_FALSE(queue.flush(kMoment));
  CHECK(queue.dropped() == 1);
  CHECK(pipe.take_bytes(kLong + 1) == kLong + 1);
  // Read all before the next flush, so that this one finds room.
  constexpr std::size_t kLeft = (kBatches - 1) * 5;
  CHECK(pipe.take_bytes(kLeft) == kLeft);
  CHECK(queue.flush(kPatience));
  CHECK(queue.dropped() == 1);
}

}  // namespace
}  // namespace net
