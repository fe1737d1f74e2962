#pragma once

#include <chrono>

namespace api {

/// The one clock of the program, except for dates and token expiry. Pure code never reads it: it is handed `now`.
using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using Duration = Clock::duration;

}  // namespace api
