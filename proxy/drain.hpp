#pragma once

#include <algorithm>

#include "proxy/config/config.hpp"

namespace spillway {

/// What happens when after the process has been told to stop. At `timeouts.drain` it ends (see Signals).
struct DrainPlan {
  Duration begin;  ///< listeners take what the kernel has accepted and close; what runs is answered
  Duration close;  ///< requests without a response are refused; tunnels are closed, in order, and event streams cut
  Duration cut;    ///< whatever is still open is cut
};

constexpr DrainPlan plan_drain(const TimeoutsConfig& timeouts) {
  constexpr Duration kClosing = std::chrono::seconds(1);  // for last bytes to be sent and log lines to be written
  const Duration closing = std::min(kClosing, timeouts.drain / 4);
  const Duration begin = timeouts.drain_delay;
  return {begin, std::max(begin, timeouts.drain - closing), std::max(begin, timeouts.drain - closing / 2)};
}

}  // namespace spillway
