#pragma once

#include <chrono>

namespace net {

/// The clock of both programs, except for dates and the expiry of tokens. Pure code never reads it; it gets `now` as an
/// argument.
using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using Duration = Clock::duration;

}  // namespace net

namespace spillway {
using net::Clock;
using net::Duration;
using net::Time;
}  // namespace spillway

namespace api {
using net::Clock;
using net::Duration;
using net::Time;
}  // namespace api
