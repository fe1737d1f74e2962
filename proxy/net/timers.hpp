#pragma once

#include <boost/asio/basic_waitable_timer.hpp>

#include "proxy/net/io.hpp"
#include "proxy/net/timer_wheel.hpp"

namespace net {

/// A timer wheel turned by its event loop: one system timer for all deadlines of a worker, set only
/// when the next turn comes sooner than planned, and not at all while nothing is armed.
class Timers {
 public:
  explicit Timers(asio::io_context& loop);

  void arm(Deadline& deadline, Time at) {
    wheel_.arm(deadline, at);
    if (at < wakes_at_) wake_at(at);
  }
  void stop() { timer_.cancel(); }

 private:
  void wake_at(Time at);

  TimerWheel wheel_;
  asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor> timer_;
  Time wakes_at_ = Time::max();
};

}  // namespace net
