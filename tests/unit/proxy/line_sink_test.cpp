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

TEST_CASE("lines are written as they come, many at a time") {
  Pipe pipe;
  LineSink sink(pipe.ends[1]);
  log(sink, "one\ntwo\n");
  CHECK(pipe.take() == "one\ntwo\n");
  CHECK(sink.lost() == 0);
}

TEST_CASE("a full disk costs lines, each counted") {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  REQUIRE(full >= 0);
  LineSink sink(full);
  log(sink, "lost\nlost\nlost\n");
  log(sink, "lost, too\n");
  CHECK(sink.lost() == 4);
  ::close(full);
}

TEST_CASE("at the end a reader that has stalled is given up, and what it did not take is counted") {
  Pipe pipe;
  LineSink sink(pipe.ends[1]);
  sink.close();
  constexpr int kLines = 200;
  std::string lines;
  for (int i = 0; i < kLines; ++i) lines += std::string(1023, 'x') + '\n';
  log(sink, lines);
  const auto taken = pipe.take().size() / 1024;
  CHECK(taken + sink.lost() == kLines);
  CHECK(taken == 64);  // what a pipe holds
}

TEST_CASE("a line that was torn is ended before the next, and counted once") {
  Pipe pipe;
  LineSink sink(pipe.ends[1]);
  sink.close();  // it gives up on a full pipe
  constexpr std::size_t kLine = 100'000;
  log(sink, std::string(kLine, 'x') + '\n');
  CHECK(sink.lost() == 1);
  const std::string torn = pipe.take();
  CHECK(torn.size() < kLine);
  log(sink, "whole\n");
  CHECK(pipe.take() == "\nwhole\n");
  CHECK(sink.lost() == 1);
}

}  // namespace
}  // namespace spillway::telemetry
