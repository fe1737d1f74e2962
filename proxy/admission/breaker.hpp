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

/// A circuit breaker. While the API fails, requests are refused at once, and the API can recover. The controller has
/// one breaker for each class, which counts the results of its requests, and one for all classes, which counts
/// connects. Pure: events come with `now`. Not thread-safe.
///
/// Source: Nygard, "Release It!", 2007 (closed, open, half-open), with the sliding window and slow-call rule known from
/// resilience4j. Own additions:
///  - An opening ends early when a health poll succeeds, so that a restarted API is used again at once.
///  - After closing, admission ramps up, so that an API that has just restarted does not get the whole load at once: by
///    one slot for each answer that took no longer than usual, less one for each other (TCP's slow start: it doubles
///    with each round of answers, and waits for an API that is still slow), and linearly over as long as the circuit
///    was open, at most `ramp`.
///  - The result of a request that was sent before the last change of state is ignored.
///  - A call is slow only if it also takes much longer than is usual (`UsualLatency`).
///  - A trial has a deadline, so that half-open always ends: the time that a call may take without being slow.
///  - A trial is a request whose body has arrived: otherwise its client decides how long the trial lasts. If no such
///    request comes for `open_for`, any request becomes a trial; but if that one is late, it is only replaced.
class Breaker {
 public:
  enum class State : std::uint8_t { closed = 0, half_open = 1, open = 2 };  // the metric's values
  enum class Result : std::uint8_t { success, failure, ignored, unreachable };
  enum class Cause : std::uint8_t {
    unreachable,   ///< opened: nobody listens at the address, or no route leads there
    failures,      ///< opened: too many requests failed
    slow,          ///< opened: too many requests were slow
    trial_failed,  ///< opened again: a trial failed
    trial_late,    ///< opened again: a trial was not answered in time
    time,          ///< half-open: `open_for` is over
    health,        ///< half-open: a health poll succeeded
    trials,        ///< closed: all trials succeeded
    quiet,         ///< closed: no request has come for `max_open`; what is known of the API is too old
    disabled,      ///< closed by the configuration
  };

  /// Longest time for a trial with `slow_call: 0`, where no call is slow. As long as `timeouts.response` by default.
  static constexpr Duration kLongestTrial = std::chrono::seconds(30);

  /// A change of state. The numbers are those of the window that opened the breaker, else 0.
  struct Change {
    State state{};
    Cause cause{};
    int requests = 0, failed = 0, slow = 0;
    Duration lasts{};  ///< open: time until the next trial; closed: time until the ramp ends
  };

  /// Identifies a request that was sent.
  struct Pass {
    std::uint32_t stamp = 0;  ///< number of the state it was sent in; 0: none
    std::uint32_t trial = 0;  ///< its number as a trial; 0: it is not a trial
  };

  Breaker() = default;
  explicit Breaker(const BreakerPolicy& policy) { configure(policy); }
  /// Allocates if `trial_requests` grows; no other call allocates. The state stays, unless the policy disables the
  /// breaker.
  void configure(const BreakerPolicy& policy);

  /// Whether a request may be sent now. Turns half-open when `open_for` is over.
  bool allows(bool body_at_hand, Time now);
  /// A request is being sent.
  Pass started(bool body_at_hand, Time now);
  /// The request has ended. `unreachable` opens the circuit at once.
  void ended(Pass pass, Result result, Duration latency, Time now);
  /// A health poll has succeeded. Ends an opening early.
  void health_succeeded(Time now);
  /// Applies what time alone changes: an opening ends, a trial is late, or no request has come for `max_open`.
  void tick(Time now);

  State state() const { return state_; }
  /// Time left until the next trial; 0 unless open.
  Duration remaining(Time now) const;
  /// How much of a limit may be used, at least 1 and at most all. Less than all only while admission ramps up.
  int admitted(int limit, Time now) const;
  /// The same as a share, above 0 up to 1.
  double admission(int limit, Time now) const { return static_cast<double>(admitted(limit, now)) / limit; }
  bool ramps(Time now) const { return state_ == State::closed && now < ramp_end_; }
  /// A request that was sent at `sent` has ended. `well`: it was answered, and took no longer than usual.
  void proved(bool well, Time sent, Time now);
  /// Whether a request is not unusually slow. True while nothing is known of the latency.
  bool usual(Duration latency, Time now) { return !usual_.known(now) || latency < usual_.ordinary_below(now); }

  bool changed() const { return change_.has_value(); }
  /// Returns the last change of state and forgets it.
  std::optional<Change> take_change();

  static constexpr int kBuckets = 10;  ///< of the window, which slides in steps of a tenth
  struct Counts {
    int all = 0, failed = 0, slow = 0;
  };
  /// What a successor goes on with. Trials under way are not in it: it sends its own.
  struct Learned {
    State state = State::closed;
    Duration in_state{}, since_opened{}, until_trial{}, open_period{};
    Duration ramp{}, ramp_left{};
    int trials_succeeded = 0, proven = 0;
    std::array<Counts, kBuckets> window{};  ///< newest first
    UsualLatency::Learned usual;
  };
  Learned learned(Time now) const;
  /// No change is told. A breaker that the policy disables stays closed.
  void restore(const Learned& learned, Time now);

 private:
  struct Trial {
    std::uint32_t number;
    Time started;
    bool body_at_hand;
  };
  Counts& bucket(std::int64_t number) { return buckets_[static_cast<std::size_t>(number % kBuckets)]; }
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
  Time bucket_begin_{}, bucket_end_{};
  UsualLatency usual_;
  Time since_{};  // in this state
  Time asked_{};  // half-open: when somebody last came
  Time open_since_{}, open_until_{}, ramp_end_{};
  Duration open_period_{}, ramp_{};
  int proven_ = 0;             // slots that the API has shown to serve since it closed
  std::vector<Trial> trials_;  // under way, at most `trial_requests`
  std::uint32_t trials_ever_ = 0;
  int trials_succeeded_ = 0;
  std::optional<Change> change_;
};

std::string_view name(Breaker::State state);
std::string_view name(Breaker::Cause cause);

}  // namespace spillway::admission
