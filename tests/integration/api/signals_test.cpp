// The process ends although everything else in it hangs.

#include "proxy/net/signals.hpp"

#include <csignal>
#include <cstdlib>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/server/log.hpp"
#include "api/server/server.hpp"
#include "tests/integration/api/program.hpp"

namespace api::test {
namespace {

using namespace std::chrono_literals;

enum class Log { read, stalled };

bool is_pending(int signal) {
  sigset_t pending;
  ::sigpending(&pending);
  return ::sigismember(&pending, signal) == 1;
}

/// The exit status of a process whose event loop hangs, after these signals; 128 + N if signal N ended it; -1 if it
/// still runs after kPatience.
int end_of_hung_process(Duration drain_limit, std::initializer_list<int> signals, Log log = Log::read) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (log == Log::stalled) {
      ::fcntl(ends[1], F_SETFL, O_NONBLOCK);
      while (::write(ends[1], "............", 12) > 0) {
      }
      ::dup2(ends[1], STDOUT_FILENO);
    } else {
      ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);
    }
    net::Signals heard(drain_limit);
    start_log(LogLevel::info);
    heard.start(
        {.drain = [] {}, .reload = [] {}, .end = [](net::Signals::Forced why) { return end_by_force(why, 3); }});
    for (const int signal : signals) {
      ::kill(::getpid(), signal);
      while (is_pending(signal)) ::usleep(1000);  // two of a kind that are pending at once count as one
    }
    for (;;) ::pause();
  }
  int status = 0;
  const bool ended = eventually([&] { return ::waitpid(child, &status, WNOHANG) == child; });
  if (!ended) ::kill(child, SIGKILL);
  ::close(ends[0]);
  ::close(ends[1]);
  if (!ended) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST_CASE("A process that hangs ends when its drain reaches the limit") {
  for (const int signal : {SIGTERM, SIGINT, SIGQUIT}) {
    CAPTURE(signal);
    CHECK(end_of_hung_process(20ms, {signal}) == EXIT_SUCCESS);
    CHECK(end_of_hung_process(20ms, {signal}, Log::stalled) == EXIT_SUCCESS);
  }
}

TEST_CASE("A process that hangs ends at once on a second signal") {
  CHECK(end_of_hung_process(1h, {SIGTERM, SIGTERM}) == EXIT_FAILURE);
  CHECK(end_of_hung_process(1h, {SIGTERM, SIGHUP, SIGINT}) == EXIT_FAILURE);
  CHECK(end_of_hung_process(1h, {SIGQUIT, SIGQUIT}, Log::stalled) == EXIT_FAILURE);
}

TEST_CASE("SIGUSR1, SIGUSR2 and SIGPIPE do not end a process that hangs") {
  CHECK(end_of_hung_process(20ms, {SIGUSR1, SIGUSR2, SIGPIPE, SIGHUP, SIGTERM}) == EXIT_SUCCESS);
}

}  // namespace
}  // namespace api::test
