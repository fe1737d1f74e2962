#pragma once

#include <deque>
#include <optional>

#include "proxy/net/clock.hpp"
#include "proxy/upstream/resolve.hpp"

namespace spillway::upstream {

/// Which address to connect to next, and for how long. One attempt at a time: an address that refuses is followed by
/// the next at once, one that is silent after 250 ms, as in RFC 8305. A silent one is tried again after the others,
/// with the time that is left. Pure.
class ConnectAttempts {
 public:
  static constexpr Duration kNextAfter = std::chrono::milliseconds(250);

  struct Attempt {
    Endpoint endpoint;
    Duration time;  ///< longest for this attempt
  };

  /// All attempts together last `timeout`.
  ConnectAttempts(const Endpoints& endpoints, Time now, Duration timeout)
      : left_(endpoints.begin(), endpoints.end()), end_(now + timeout) {}

  /// Nothing when no address or no time is left.
  std::optional<Attempt> next(Time now);
  /// The last attempt got no answer in its time.
  void silent() { left_.push_back(last_); }

 private:
  std::deque<Endpoint> left_;
  Endpoint last_;
  Time end_;
};

}  // namespace spillway::upstream
