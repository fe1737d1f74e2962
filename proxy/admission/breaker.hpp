#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "proxy/admission/policy.hpp"
#include "proxy/admission/usual_latency.hpp"
#include "proxy/net/clock.hpp"

namespace spillway::admission {

/// Stops requests to what fails, so that they fail at once and the API is left in peace to recover. The controller
/// has one for each class, which counts what fails in that class, and one for all, which counts connects.
/// Pure: events come with `now`. Not thread-safe.
///
/// Source: Nygard, "Release It!", 2007 (closed, open, half-open), with the sliding window and slow-call rule known from
/// resilience4j. Own additions:
///  - An opening ends early when a health poll succeeds, so that a restarted API is used again at once.
///  - After closing, admission ramps up linearly, for as long as the circuit was open and at most `ramp`, so that a
///    cold API does not meet the whole load.
///  - Results of requests sent before the last change of state count for nothing.
///  - A call is slow only if it is also out of the ordinary (`UsualLatency`).
///  - A trial has a deadline, so that half-open ends: as long as a call may take without being slow.
///  - A trial goes to a request whose body is at hand: else a client decides how long it lasts. If none such comes for
///    `open_for`, any request is tried, but a late one of them proves nothing and only gives its place to the next.
class Breaker {
 public:
  enum class State : std::uint8_t { closed = 0, half_open = 1, open = 2 };  // the metric's values
  enum class Result : std::uint8_t { success, failure, ignored, unreachable };
  enum class Cause : std::uint8_t {
    unreachable,   ///< opened: nobody listens, no route
    failures,      ///< opened: too many requests failed
    slow,          ///< opened: too many were slow
    trial_failed,  ///< opened again
    trial_late,    ///< opened again: a trial was not answered in time
    time,          ///< half-open: its time is over
    health,        ///< half-open: a health poll went well
    trials,        ///< closed: all trials went well
    quiet,         ///< closed: nobody has asked for so long that what was known is too old
    disabled,      ///< closed by the configuration
  };

  /// The longest a trial may take where no call is slow: `slow_call: 0`. As long as `timeouts.response` by default.
  static constexpr Duration kLongestTrial = std::chrono::seconds(30);

  /// A change of state and the numbers behind it: of the window that opened it, else 0.
  struct Change {
    State state{};
    Cause cause{};
    int requests = 0, failed = 0, slow = 0;
    Duration lasts{};  ///< open: until the next trial; closed: until all is admitted again
  };

  /// What a request that was let through is known by.
  struct Pass {
    std::uint32_t stamp = 0;  ///< the state it was sent in; 0: none
    std::uint32_t trial = 0;  ///< its number as a trial; 0: it is none
  };

  Breaker() = default;
  explicit Breaker(const BreakerPolicy& policy) { configure(policy); }
  /// Allocates if `trial_requests` grows; nothing else does. A reload changes no state, unless it disables.
  void configure(const BreakerPolicy& policy);

  /// Whether a request may be sent now. Becomes half-open when the time has come.
  bool allows(bool body_at_hand, Time now);
  /// A request is sent.
  Pass started(bool body_at_hand, Time now);
  /// It has ended. `unreachable` opens the circuit at once.
  void ended(Pass pass, Result result, Duration latency, Time now);
  /// The health poll found the API well. Ends an opening early.
  void health_succeeded(Time now);
  /// What time alone changes: an opening ends, a trial is late, nobody has asked for `max_open`.
  void tick(Time now);

  State state() const { return state_; }
  /// Time left until the next trial; 0 unless open.
  Duration remaining(Time now) const;
  /// Share of the normal limit that may be used, above 0 up to 1: below 1 only on the way back.
  double admission(Time now) const;

  bool changed() const { return change_.has_value(); }
  /// The last change of state, once.
  std::optional<Change> take_change();

 private:
  struct Counts {
    int all = 0, failed = 0, slow = 0;
  };
  struct Trial {
    std::uint32_t number;
    Time started;
    bool body_at_hand;
  };
  static constexpr int kBuckets = 10;  // the window slides in steps of a tenth

  Counts& bucket_at(Time now);
  void count(Result result, bool slow, Time now);
  void end_trial(std::uint32_t number, Result result, bool late, Time now);
  Duration trial_limit(Time now);
  void end_late_trials(Time now);
  bool has_place() const { return static_cast<int>(trials_.size()) < policy_.trial_requests; }
  void open(Cause cause, Duration period, Time now);
  void open_again(Cause cause, Time now);
  void half_open(Cause cause, Time now);
  void close(Cause cause, Time now);
  void enter(State state, Cause cause, Time now);

  BreakerPolicy policy_;
  State state_ = State::closed;
  std::uint32_t stamp_ = 1;  // of the present state
  std::array<Counts, kBuckets> buckets_{};
  Counts sum_;
  std::int64_t bucket_number_ = 0;
  UsualLatency usual_;
  Time since_{};  // in this state
  Time asked_{};  // half-open: when somebody last came
  Time open_since_{}, open_until_{}, ramp_end_{};
  Duration open_period_{}, ramp_{};
  std::vector<Trial> trials_;  // under way, at most `trial_requests`
  std::uint32_t trials_ever_ = 0;
  int trials_succeeded_ = 0;
  std::optional<Change> change_;
};

std::string_view name(Breaker::State state);
std::string_view name(Breaker::Cause cause);

}  // namespace spillway::admission
