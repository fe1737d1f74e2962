#pragma once

#include <string>

#include "proxy/net/clock.hpp"

namespace tracing {

/// What the log is told of a collector: that spans cannot be sent and why, that it is for another reason now, and that
/// they are sent again. No more than two lines in `kEvery`, whatever comes and goes. Pure.
class News {
 public:
  static constexpr net::Duration kEvery = std::chrono::seconds(10);

  /// Whether to tell that a post has failed.
  bool failed(const std::string& why, net::Time now) {
    if (telling_ && why == told_) return false;
    if (last_ != net::Time{} && now - last_ < kEvery) return false;
    telling_ = true;
    told_ = why;
    last_ = now;
    return true;
  }
  /// Whether to tell that a post has worked: after a failure that was told.
  bool worked() {
    const bool told = telling_;
    telling_ = false;
    return told;
  }

 private:
  bool telling_ = false;
  std::string told_;
  net::Time last_{};
};

}  // namespace tracing
