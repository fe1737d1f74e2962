#pragma once

#include <array>

#include "proxy/http2/abuse_kind.hpp"
#include "proxy/http2/limits.hpp"
#include "proxy/net/clock.hpp"

namespace spillway::http2 {

/// Counts what a client may do only so often: a leaky bucket for each kind. Each event puts a drop in, which leaks out
/// at the allowed rate; a bucket that overflows is abuse. A bucket holds what the rate allows in `kMean`, so that
/// bursts of honest clients fit: a browser that leaves a page resets all its streams at once. Pure: events come with
/// `now`.
class AbuseMeter {
 public:
  static constexpr Duration kMean = std::chrono::seconds(10);

  explicit AbuseMeter(const Limits& limits) : limits_(limits) {}

  /// One more event. True: that is too many.
  bool note(Abuse kind, Time now);
  /// The proxy has done something that explains `count` events.
  void explain(Abuse kind, int count);

 private:
  struct Bucket {
    float level = 0;
    Time at{};
  };
  float rate(Abuse kind) const;

  Limits limits_;
  std::array<Bucket, kAbuseKinds> buckets_{};
};

}  // namespace spillway::http2
