#pragma once

#include <optional>
#include <utility>

#include "proxy/net/clock.hpp"
#include "proxy/net/resolve.hpp"

namespace spillway::upstream {

using net::Endpoint;
using net::Endpoints;

/// Which address to connect to next, and when the one after that: at once if this one refuses, after 250 ms if it is
/// silent (RFC 8305, section 5), sooner if the time for all is short. Pure.
class ConnectAttempts {
 public:
  static constexpr Duration kNextAfter = std::chrono::milliseconds(250);
  /// Never sooner, however many addresses there are: RFC 8305 forbids less.
  static constexpr Duration kNextNotBefore = std::chrono::milliseconds(10);

  struct Attempt {
    Endpoint endpoint;
    Duration time;  ///< until the next attempt; for the last one, all that is left
  };

  /// All attempts together last `timeout`.
  ConnectAttempts(Endpoints endpoints, Time now, Duration timeout)
      : endpoints_(std::move(endpoints)), end_(now + timeout) {}

  /// Nothing when no address or no time is left.
  std::optional<Attempt> next(Time now);
  /// Time for the attempts that are under way.
  Duration left(Time now) const { return now < end_ ? end_ - now : Duration::zero(); }

 private:
  Endpoints endpoints_;
  std::size_t begun_ = 0;
  Time end_;
};

}  // namespace spillway::upstream
