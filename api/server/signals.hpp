#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include <boost/asio.hpp>

#include "proxy/net/clock.hpp"

namespace api {

/// Hears the process's signals on a thread of its own, so that it ends whatever else hangs (a log reader, a database, a
/// look-up, a lock): when the time for the drain is over, or at a second signal. SIGTERM, SIGINT and SIGQUIT drain,
/// SIGHUP reloads, SIGUSR1, SIGUSR2 and SIGPIPE change nothing.
class Signals {
 public:
  /// Called on the signals' thread, so they must do no more than tell another one.
  struct Actions {
    std::function<void()> drain;   ///< once
    std::function<void()> reload;  ///< never after `drain`
  };

  /// From now on no signal ends the process; what comes before `start` waits for it. `drain_limit`: between the first
  /// signal and the end. `in_flight`: requests that it would cut, for the log.
  Signals(Duration drain_limit, const std::atomic<int>& in_flight);
  /// Ends the watch, too: to be destroyed as late as possible.
  ~Signals();

  void start(Actions actions);
  /// Drains as if told by a signal. From any thread.
  void drain();

 private:
  void await();
  void begin_drain();
  [[noreturn]] static void leave(int status);

  const Duration drain_limit_;
  const std::atomic<int>& in_flight_;
  Actions actions_;
  bool draining_ = false;  // on the signals' thread, as all that follows
  boost::asio::io_context loop_{1};
  boost::asio::signal_set signals_;
  boost::asio::steady_timer timer_;
  std::thread thread_;
};

}  // namespace api
