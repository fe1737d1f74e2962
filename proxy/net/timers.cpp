#include "proxy/net/timers.hpp"

namespace net {

Timers::Timers(asio::io_context& loop) : wheel_(Clock::now()), timer_(loop.get_executor()) {}

void Timers::wake_at(Time at) {
  wakes_at_ = at;
  timer_.expires_at(at);
  timer_.async_wait([this](error_code error) {
    if (error) return;  // replaced by a sooner one
    wakes_at_ = Time::max();
    wheel_.turn(Clock::now());
    if (const auto next = wheel_.next_turn(); next && *next < wakes_at_) wake_at(*next);
  });
}

}  // namespace net
