// Being told to stop works, whatever else hangs. Each scene is a process of its own.

#include "proxy/signals.hpp"

#include <csignal>
#include <initializer_list>

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace spillway {
namespace {

using namespace std::chrono_literals;

constexpr int kHung = 7;            ///< the exit status of a scene that the signals have not ended
constexpr unsigned kPatience = 20;  ///< seconds

/// The exit status of a process that does what `scene` does and then hangs in its only thread.
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

TEST_CASE("told once, a process that hangs ends when the drain has to be over") {
  for (const int signal : {SIGTERM, SIGINT, SIGQUIT}) {
    CAPTURE(signal);
    CHECK(run([signal] {
            static Signals signals(1ms, {.stop = [] {}, .reload = [] {}});
            ::kill(::getpid(), signal);
          }) == 0);
  }
}

TEST_CASE("told twice, it ends at once, in whichever way it is told") {
  CHECK(run([] {
          static Signals signals(1h, {.stop = [] { ::kill(::getpid(), SIGQUIT); }, .reload = [] {}});
          ::kill(::getpid(), SIGTERM);
        }) == 0);
}

TEST_CASE("what changes nothing changes nothing, and a reload is none of a stop") {
  CHECK(run([] {
          static int reloads = 0;
          static Signals signals(1h, {.stop = [] { ::_exit(10 + reloads); },
                                      .reload =
                                          [] {
                                            ++reloads;
                                            ::kill(::getpid(), SIGTERM);
                                          }});
          for (const int signal : {SIGUSR1, SIGUSR2, SIGPIPE, SIGHUP}) ::kill(::getpid(), signal);
        }) == 11);
}

TEST_CASE("a drain that has not begun takes as long as was said last") {
  CHECK(run([] {
          static Signals signals(1h, {.stop = [] {}, .reload = [] {}});
          signals.set_drain(1ms);
          ::kill(::getpid(), SIGTERM);
        }) == 0);
}

TEST_CASE("its thread ends with it") {
  CHECK(run([] {
          {
            const Signals signals(1h, {.stop = [] {}, .reload = [] {}});
          }
          ::_exit(5);
        }) == 5);
}

}  // namespace
}  // namespace spillway
