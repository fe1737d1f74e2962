#pragma once

#include <chrono>

namespace net {

/// The clock of both programs, except for dates and the expiry of tokens. Pure code never reads it; it gets `now` as an
/// argument.
using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using Duration = Clock::duration;

constexpr double in_seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}
/// Truncated to the clock's resolution.
constexpr Duration from_seconds(double seconds) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

}  // namespace net

namespace spillway {
using net::Clock;
using net::Duration;
using net::from_seconds;
using net::in_seconds;
using net::Time;
}  // namespace spillway

namespace api {
using net::Clock;
using net::Duration;
using net::Time;
}  // namespace api
