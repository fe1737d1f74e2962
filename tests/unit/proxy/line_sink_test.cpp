// Lines reach their reader, or are counted.

#include "proxy/telemetry/line_sink.hpp"

#include <array>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <spdlog/details/log_msg.h>
#include <unistd.h>

namespace spillway::telemetry {
namespace {

void log(LineSink& sink, const std::string& line) {
  sink.log(spdlog::details::log_msg("test", spdlog::level::info, line));
}

/// A pipe, and what is in it.
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
  std::array<int, 2> ends{};
};

TEST_CASE("lines wait for a flush, and are then written in one") {
  Pipe pipe;
  LineSink sink(pipe.ends[1]);
  CHECK(!sink.pending());
  log(sink, "one");
  log(sink, "two");
  CHECK(sink.pending());
  CHECK(pipe.take().empty());
  sink.flush();
  CHECK(!sink.pending());
  CHECK(pipe.take() == "one\ntwo\n");
  CHECK(sink.lost() == 0);
}

TEST_CASE("many lines are written without being asked") {
  Pipe pipe;
  LineSink sink(pipe.ends[1]);
  for (int i = 0; i < 40; ++i) log(sink, std::string(1023, 'x'));
  CHECK(pipe.take().size() == 32 * 1024);
}

TEST_CASE("a full disk costs lines, each counted") {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  REQUIRE(full >= 0);
  LineSink sink(full);
  for (int i = 0; i < 3; ++i) log(sink, "lost");
  sink.flush();
  log(sink, "lost, too");
  sink.flush();
  CHECK(sink.lost() == 4);
  ::close(full);
}

TEST_CASE("at the end a reader that has stalled is given up, and what it did not take is counted") {
  Pipe pipe;
  LineSink sink(pipe.ends[1]);
  sink.close();
  constexpr int kLines = 200;
  for (int i = 0; i < kLines; ++i) log(sink, std::string(1023, 'x'));
  sink.flush();
  const auto taken = pipe.take().size() / 1024;
  CHECK(taken + sink.lost() == kLines);
  CHECK(taken == 64);  // what a pipe holds
}

}  // namespace
}  // namespace spillway::telemetry
