#pragma once

#include <atomic>
#include <csignal>
#include <cstdint>
#include <functional>
#include <thread>

#include "proxy/net/clock.hpp"

namespace net {

/// Takes the signals of the process on a thread of its own, so that the process can be stopped whatever its other
/// threads wait for (a reader of the log, a look-up, a lock).
///
/// - SIGTERM, SIGINT and SIGQUIT begin the drain, or find one that the program has begun. The process is ended by force
///   at a second one, and when the drain takes longer than its limit.
/// - SIGHUP reloads.
/// - SIGUSR2 begins an upgrade, where the program has one.
/// - SIGUSR1 and SIGPIPE change nothing.
class Signals {
 public:
  /// Why the process is ended by force.
  enum class Forced : std::uint8_t { second_signal, drain_limit };

  /// Called on the thread of the signals. They must not wait for another thread.
  struct Handlers {
    std::function<void()> drain;   ///< once
    std::function<void()> reload;  ///< never after `drain`
    /// The process ends right after this call, with the status that it returns.
    std::function<int(Forced)> end;
    std::function<void()> upgrade = {};  ///< never after `drain`
  };

  /// Blocks the signals for the calling thread and for every thread that it starts later: make this object before any
  /// thread. Signals that arrive before `start` wait for it.
  explicit Signals(Duration drain_limit);
  /// Ends the thread. Until then the process can be ended by force: destroy this object last.
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// Once.
  void start(Handlers handlers);
  /// Begins the drain as the first signal does; without effect if it has begun. After `start`, from any thread.
  void drain();
  /// From the beginning of the drain to its forced end; without effect if it has begun. From any thread.
  void set_drain_limit(Duration limit) { drain_limit_ = limit; }

 private:
  void take();

  sigset_t taken_{};
  std::atomic<Duration> drain_limit_;
  Handlers handlers_;
  std::atomic<bool> drain_wanted_{false};
  std::atomic<bool> closing_{false};
  std::thread thread_;
};

}  // namespace net
