#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "proxy/net/clock.hpp"

namespace spillway::admission {

/// What the traffic says about the API's capacity.
struct Advice {
  enum class Kind : std::uint8_t {
    not_enough,  ///< too few answers, or none at a low or none at a high load
    at_least,    ///< throughput still grew with what was in flight: `slots` is what was seen, the capacity is higher
    found,       ///< throughput stops growing at `slots`
  };
  Kind kind = Kind::not_enough;
  int slots = 0;          ///< requests in flight at which the API works at full speed
  int most = 0;           ///< requests in flight at a time, over at least a hundredth of the time
  double throughput = 0;  ///< answers per second at `slots`
  double service = 0;     ///< seconds that a request takes while few are in flight
  bool thrashes = false;  ///< with more in flight throughput falls clearly
};

/// Finds the API's capacity from live traffic, without changing it. It measures how many answers come per second while
/// n requests are in flight: n / service time while the API has a free slot for each, and no more beyond its slots.
/// Where the curve bends is the capacity.
///
/// Source: state-dependent service rates, as in the flow-equivalent server of Chandy, Herzog and Woo (1975): the rate
/// at n is departures at n over time at n, whatever the distribution of service times. The bend of a measured curve as
/// a capacity: the knee of Gunther's Universal Scalability Law (1993), which also knows that throughput may fall.
///
/// It forgets: after ten minutes everything counts half, so that the curve follows an API that changes.
/// Pure; one call for each start and end of a request costs a few nanoseconds.
class Advisor {
 public:
  /// A request starts or has ended: until now `in_flight` were in flight.
  void passed(int in_flight, Time now);
  /// The API has answered, while `in_flight` were in flight, this one included.
  void answered(int in_flight);

  Advice advice() const;

  struct Level {
    double seconds = 0, answers = 0;
  };
  /// The curve: by level, up to the last that has been seen.
  std::vector<Level> learned() const;
  void restore(const std::vector<Level>& levels);

 private:
  static constexpr int kExact = 64;        // up to so many in flight there is a level for each number …
  static constexpr int kPerDoubling = 16;  // … then so many for each doubling
  static constexpr std::size_t kLevels = kExact + 11 * kPerDoubling;
  static std::size_t level_of(int in_flight);
  static double in_flight_at(std::size_t level);

  /// Neighbouring levels together.
  struct Range {
    double seconds = 0, slot_seconds = 0, answers = 0;
    void add(const Level& level, double in_flight) {
      seconds += level.seconds;
      slot_seconds += level.seconds * in_flight;
      answers += level.answers;
    }
    double rate() const { return answers / seconds; }
    double in_flight() const { return slot_seconds / seconds; }
  };
  Range range(double from, double to) const;

  std::array<Level, kLevels> levels_{};
  double seconds_ = 0;
  Time last_{};
};

}  // namespace spillway::admission
