#pragma once

#include <chrono>

namespace spillway {

/// The one clock of the data path. Pure code never reads it: it is handed `now`.
using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using Duration = Clock::duration;

}  // namespace spillway
