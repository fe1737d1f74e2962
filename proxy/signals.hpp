#pragma once

#include <atomic>
#include <csignal>
#include <functional>
#include <thread>

#include "proxy/net/clock.hpp"

namespace spillway {

/// The signals of the process, taken by a thread of its own: being told to stop works whatever all others hang in.
///
///     SIGTERM, SIGINT, SIGQUIT    `stop`; told twice, the process exits at once; told once, `drain` later at the
///     latest SIGHUP                      `reload` SIGUSR1, SIGUSR2, SIGPIPE   nothing
///
/// To be made before any other thread starts: it blocks the signals for all that come after. The handlers run on its
/// thread.
class Signals {
 public:
  struct Handlers {
    std::function<void()> stop, reload;
  };

  Signals(Duration drain, Handlers handlers);
  ~Signals();
  Signals(const Signals&) = delete;

  /// How long a drain may take that has not begun yet. From any thread.
  void set_drain(Duration drain) { drain_ = drain; }

 private:
  void take();

  sigset_t taken_{};
  std::atomic<Duration> drain_;
  Handlers handlers_;
  std::atomic<bool> closing_{false};
  std::thread thread_;
};

}  // namespace spillway
