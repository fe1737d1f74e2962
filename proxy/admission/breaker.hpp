#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "proxy/net/clock.hpp"

namespace spillway::upstream {

struct BreakerPolicy {
  bool enabled = true;
  Duration window = std::chrono::seconds(10);
  int min_requests = 20;       ///< fewer in the window prove nothing
  double failure_ratio = 0.5;  ///< of the window's requests; 5xx, connect failures, time-outs
  Duration slow_call = std::chrono::seconds(5);
  double slow_ratio = 0.8;
  Duration open_for = std::chrono::seconds(5);  ///< doubles on each failed trial, up to `max_open`
  Duration max_open = std::chrono::seconds(60);
  int trial_requests = 5;                   ///< at a time while half-open, and successes until it closes
  Duration ramp = std::chrono::seconds(5);  ///< longest way back to full admission
};

/// Stops requests to an API that fails, so that they fail at once and the API is left in peace to recover.
/// Pure: events come with `now`. Not thread-safe.
///
/// Source: Nygard, "Release It!", 2007 (closed, open, half-open), with the sliding window and slow-call rule known from
/// resilience4j. Own additions: an opening ends early when a health poll succeeds, so that a restarted API is used
/// again at once; after closing, admission ramps up linearly, for as long as the circuit was open and at most `ramp`,
/// so that a cold API does not meet the whole load; results of requests sent before the last change of state
/// count for nothing.
class Breaker {
 public:
  enum class State : std::uint8_t { closed = 0, half_open = 1, open = 2 };  // the metric's values
  enum class Result : std::uint8_t { success, failure, ignored, unreachable };

  explicit Breaker(const BreakerPolicy& policy) : policy_(policy) {}
  void configure(const BreakerPolicy& policy);

  /// Whether a request may be sent now. Becomes half-open when the time has come.
  bool allows(Time now);
  /// A request is sent. Returns a stamp for `ended`.
  std::uint32_t started();
  /// It has ended. `unreachable` (nobody listens at the API's address) opens the circuit at once.
  void ended(std::uint32_t stamp, Result result, Duration latency, Time now);
  /// The health poll found the API well. Ends an opening early.
  void health_succeeded();

  State state() const { return state_; }
  /// Time left until the next trial; 0 unless open.
  Duration remaining(Time now) const;
  /// Share of the normal limit that may be used, above 0 up to 1: below 1 only on the way back.
  double admission(Time now) const;

 private:
  struct Counts {
    int all = 0, failed = 0, slow = 0;
  };
  static constexpr int kBuckets = 10;  // the window slides in steps of a tenth

  Counts& bucket_at(Time now);
  void count(Result result, bool slow, Time now);
  void end_trial(Result result, bool slow, Time now);
  void open(Time now, Duration period);
  void close(Time now);
  void enter(State state);

  BreakerPolicy policy_;
  State state_ = State::closed;
  std::uint32_t stamp_ = 0;  // of the present state
  std::array<Counts, kBuckets> buckets_{};
  Counts sum_;
  std::int64_t bucket_number_ = 0;
  Time open_since_{}, open_until_{}, ramp_end_{};
  Duration open_period_{}, ramp_{};
  int trials_out_ = 0, trials_succeeded_ = 0;
};

std::string_view name(Breaker::State state);

}  // namespace spillway::upstream
