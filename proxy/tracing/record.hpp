#pragma once

#include <chrono>

#include "proxy/net/clock.hpp"

namespace tracing {

using Instant = std::chrono::system_clock::time_point;

/// Turns times into dates, as of one moment: the dates of one record fit each other, whatever sets the clock.
struct Calendar {
  net::Time now = net::Clock::now();
  Instant date = Instant::clock::now();

  Instant at(net::Time time) const { return date - std::chrono::duration_cast<Instant::duration>(now - time); }
};

class SpanWriter;

/// What a sampled request leaves for the exporter: a copy of all that its spans tell.
class Record {
 public:
  virtual ~Record() = default;

  /// How many `write` writes.
  virtual int spans() const = 0;
  /// On the exporter's thread.
  virtual void write(SpanWriter& out) const = 0;
};

}  // namespace tracing
