// Stop signals work even if everything else hangs. Each scene runs in its own process.

#include "proxy/net/signals.hpp"

#include <atomic>
#include <csignal>
#include <functional>
#include <initializer_list>
#include <utility>

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace net {
namespace {

using namespace std::chrono_literals;

constexpr int kHung = 7;            ///< exit status of a scene that no signal has ended
constexpr unsigned kPatience = 20;  ///< seconds

/// Runs `scene` in a process that then hangs in its only thread. Returns the exit status.
template <class Scene>
int run(Scene scene) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGALRM, [](int) { ::_exit(kHung); });
    ::alarm(kPatience);
    scene();
    while (true) ::pause();
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// What the process returns when it is ended by force.
constexpr int kTwice = 20, kLate = 21;

/// Begins to take signals, in a scene: for good.
Signals& take(
    Duration drain_limit, std::function<void()> drain, std::function<void()> reload = [] {}) {
  static Signals signals(drain_limit);
  signals.start({.drain = std::move(drain), .reload = std::move(reload), .end = [](Signals::Forced why) {
                   return why == Signals::Forced::second_signal ? kTwice : kLate;
                 }});
  return signals;
}

TEST_CASE("a process that hangs ends when its drain reaches the limit, whichever signal began it") {
  for (const int signal : {SIGTERM, SIGINT, SIGQUIT}) {
    CAPTURE(signal);
    CHECK(run([signal] {
            take(1ms, [] {});
            ::kill(::getpid(), signal);
          }) == kLate);
  }
}

TEST_CASE("a second signal ends the process at once, whichever it is") {
  CHECK(run([] {
          take(1h, [] { ::kill(::getpid(), SIGQUIT); });
          ::kill(::getpid(), SIGTERM);
        }) == kTwice);
}

TEST_CASE("SIGUSR1, SIGUSR2 and SIGPIPE change nothing, and SIGHUP reloads without a drain") {
  CHECK(run([] {
          static int reloads = 0;
          take(
              1h, [] { ::_exit(10 + reloads); },
              [] {
                ++reloads;
                ::kill(::getpid(), SIGTERM);
              });
          for (const int signal : {SIGUSR1, SIGUSR2, SIGPIPE, SIGHUP}) ::kill(::getpid(), signal);
        }) == 11);
}

TEST_CASE("the limit of a drain that has not begun can be changed") {
  CHECK(run([] {
          take(1h, [] {}).set_drain_limit(1ms);
          ::kill(::getpid(), SIGTERM);
        }) == kLate);
}

TEST_CASE("a signal that arrives before the start is not lost") {
  CHECK(run([] {
          static Signals signals(1h);
          ::kill(::getpid(), SIGTERM);
          signals.start({.drain = [] { ::_exit(6); }, .reload = [] {}, .end = [](Signals::Forced) { return kLate; }});
        }) == 6);
}

TEST_CASE("the program can begin the drain itself, once, and then no reload follows") {
  CHECK(run([] {
          static std::atomic<int> drains = 0;
          Signals& signals = take(
              1ms, [] { ++drains; }, [] { ::_exit(9); });
          signals.drain();
          signals.drain();
          while (drains == 0) ::usleep(100);
          ::kill(::getpid(), SIGHUP);
        }) == kLate);
}

TEST_CASE("the first signal after a drain that the program has begun does not end the process by force") {
  CHECK(run([] {
          static std::atomic<int> drains = 0;
          Signals& signals = take(
              1h, [] { ++drains; }, [] { ::_exit(9); });
          signals.drain();
          while (drains == 0) ::usleep(100);
          ::kill(::getpid(), SIGTERM);
          sigset_t pending;
          do {
            ::usleep(100);
            ::sigpending(&pending);
          } while (::sigismember(&pending, SIGTERM) == 1);
          ::usleep(1000);
          ::_exit(8);
        }) == 8);
}

TEST_CASE("the thread of the signals ends with its object") {
  CHECK(run([] {
          {
            Signals signals(1h);
            signals.start({.drain = [] {}, .reload = [] {}, .end = [](Signals::Forced) { return kLate; }});
          }
          ::_exit(5);
        }) == 5);
}

}  // namespace
}  // namespace net
