#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/admission/api_shedding.hpp"
#include "proxy/admission/breaker.hpp"
#include "proxy/admission/key_counts.hpp"
#include "proxy/admission/limit.hpp"
#include "proxy/admission/policy.hpp"
#include "proxy/admission/pool_gauge.hpp"
#include "proxy/admission/queue.hpp"
#include "proxy/admission/reason.hpp"
#include "proxy/admission/request.hpp"
#include "proxy/admission/retry_after.hpp"
#include "proxy/admission/service_time.hpp"
#include "proxy/net/clock.hpp"

namespace spillway::admission {

/// Every number that led to a decision, for `/stats` and the sampled log line.
struct Snapshot {
  Mode mode{};
  int in_flight = 0, limit = 0, queue_length = 0;
  double baseline_seconds = 0, latency_seconds = 0;  ///< of the adaptive limit; 0 while it knows nothing
  double pool_capacity_pct = 0;                      ///< as estimated for this moment; 0 without a fresh report
  Breaker::State breaker{};                          ///< the worst of all
  Breaker::State reach_breaker{};                    ///< of that for all classes: whether the API can be reached
  Duration breaker_remaining{};                      ///< the longest of all
  double breaker_admission = 1;    ///< share of the limit while admission ramps up after the API could not be reached
  double retry_after_seconds = 0;  ///< the level of `auto`, before jitter
  std::size_t keys = 0;            ///< clients with a request in flight or waiting
  struct Class {
    std::string name;
    int share = 0, reserve = 0, most = 0, in_flight = 0, waiting = 0;
    bool overloaded = false;      ///< newest first
    bool pool_exhausted = false;  ///< for this class
    bool api_sheds = false;       ///< the API turns some of it away for load,
    bool api_has_enough = false;  ///< and has been sent all that it takes
    Breaker::State breaker{};
    Duration breaker_remaining{};
    double breaker_admission = 1;  ///< share of its share while admission ramps up
    Duration service_time{}, estimated_wait{};
  };
  std::vector<Class> classes;  ///< as in the policy
};

/// A breaker has changed its state.
struct BreakerChange {
  std::string_view class_name;  ///< empty: that for all classes
  Breaker::Change change;
};

/// Decides who may go on to the API. Pure: no I/O, no clock, no lock. Events come with `now`;
/// the requests whose wait they end are handed out by `next_decided`. Not thread-safe: the driver serialises calls.
/// Owns no request. `arrive`, `finish`, `abandon` and `tick` allocate nothing.
///
/// Invariants, whatever the order of events:
///  - in `enforce`, no admission lifts requests in flight above the limit, nor above the class's share of it, its own
///    reserve apart;
///  - a better class goes first, other classes' reserves apart, and within a class the oldest, or under standing
///    overload the newest;
///  - no free slot stands beside a waiting request that may take it;
///  - every admitted request is finished exactly once.
class Controller {
 public:
  explicit Controller(Policy policy);

  /// Decides on a fresh request: admitted, waiting or refused, also left in `request.state`.
  Request::State arrive(Request& request, Time now);
  /// The API could be connected to for this admitted request. Needed only of one that is `reach_pass.trial`.
  void reached(Request& request, Time now);
  /// Gives back the slot of an admitted request, which is fresh then. May end the wait of others.
  void finish(Request& request, Completion completion, Time now);
  /// A waiting request goes away (client closed). It is fresh and in no list afterwards.
  void abandon(Request& request);
  /// Refuses whoever has waited too long, as every event does. Call at least every 10 ms while anybody waits, and some
  /// times a second else: breakers move with time, too.
  void tick(Time now);
  /// A new policy keeps all state; waiting requests are looked at again.
  void configure(Policy policy, Time now);
  /// Refuses every waiting request (drain).
  void refuse_waiting(Reason reason);

  /// What the API reports of its pool. A report on a response is told after that request's `finish`.
  /// May end the wait of others.
  void observe(const PoolReport& report, Time now);
  /// A health poll has ended.
  void polled(bool healthy, Time now);

  /// The next request whose wait has ended (admitted or refused), or null. In order of decision.
  /// Drain it after every event: a decided request must not be abandoned or finished before it was handed out.
  Request* next_decided();

  /// The next change of a breaker since the last call, or nothing.
  std::optional<BreakerChange> next_breaker_change();

  /// What to tell a refused request, in whole seconds. `random`: uniform 32 bits.
  int retry_after(const Request& refused, std::uint32_t random, Time now) const;
  /// The same for one that the controller has not refused.
  int retry_after(std::uint32_t random) const { return retry_after_.seconds(random); }

  int in_flight() const { return in_flight_; }
  int queue_length() const { return room_.size(); }
  /// In force now: `max_concurrent` or what was learned, less while the breaker for all ramps up.
  int limit() const { return limit_now_; }
  /// The worst of all.
  Breaker::State breaker_state() const;
  Snapshot snapshot(Time now) const;

 private:
  struct Class {
    ClassPolicy policy;
    int share = 0;      // requests in flight at which the class is refused
    int reserve = 0;    // slots held back for it while it needs them
    int most = 0;       // of its own in flight: the limit, less while its breaker ramps up
    int in_flight = 0;  // admitted, but for those refused in shadow
    Time needed_until{};
    Time served = Time{} - std::chrono::hours(1);  // when the API last answered one; long ago
    ServiceTime service_time;
    Breaker breaker;  // opened by what fails in this class
    ApiShedding shedding;
  };

  Class& class_of(int class_id) { return classes_[static_cast<std::size_t>(class_id)]; }
  const Class& class_of(int class_id) const { return classes_[static_cast<std::size_t>(class_id)]; }
  int class_id_of(int class_index) const;

  // The questions `arrive` asks, in its order.
  bool circuit_closed(const Request& request, Time now);
  bool too_late(const Request& request, Time now) const;
  bool pool_exhausted(int class_id, Time now) const;
  bool api_has_enough(int class_id, Time now) const { return class_of(class_id).shedding.enough(now); }
  bool may_start(int class_id, Time now) const;
  bool over_fair_share(const Request& request) const;
  bool may_wait(int class_id) const;

  int occupied() const;
  int held_for_others(int class_id, Time now) const;
  Duration estimated_wait(int class_id, Time now) const;

  // What becomes of a request.
  Request::State admit(Request& request, Time now);
  Request::State turn_away(Request& request, Reason reason, Time now);
  Request::State wait(Request& request, Time now);
  void serve(Request& waiting, Time now);
  void give_up(Request& waiting, Reason reason, Time now);
  void serve_waiting(Time now);
  bool held_back(int class_id, Time now) const;
  void refuse_waiting(int class_id, Reason reason);

  void learn(const Request& request, Completion completion, Time now);
  void learn_of_load(Class& c, Completion completion, Time now);
  bool sheds_all(Time now) const;
  Duration next_chance(const Class& c, Time now) const;
  void note(const Breaker& breaker);
  void update_limit(Time now);
  void update_shares(Time now);
  void adopt(Policy policy, Time now);
  void hold_key(Request& request);
  void release_key(Request& request);

  Policy policy_;
  std::vector<Class> classes_;  // by class id; only ever grows, so that a request keeps its class across reloads
  std::vector<int> class_ids_;  // by class index of the current policy
  WaitingRoom room_;
  RequestList decided_;
  int in_flight_ = 0;
  int in_flight_refused_in_shadow_ = 0;

  Limit limit_;
  int limit_now_ = 0;
  Breaker reach_;                  // for all classes: opened by connects that fail
  bool breakers_changed_ = false;  // some breaker has a change to tell
  bool classes_ramp_ = false;      // some class's breaker ramps up
  Time polled_{};
  bool poll_healthy_ = false;
  PoolGauge pool_;
  KeyCounts keys_;
  RetryAfter retry_after_;
  ServiceTime service_time_;  // of all classes together: how often a slot becomes free
};

}  // namespace spillway::admission
