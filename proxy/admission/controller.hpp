#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

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
#include "proxy/admission/breaker.hpp"

namespace spillway::admission {

/// Every number that led to a decision, for `/stats` and the sampled log line.
struct Snapshot {
  Mode mode{};
  int in_flight = 0, limit = 0, queue_length = 0;
  double baseline_seconds = 0, latency_seconds = 0;  ///< of the adaptive limit; 0 while it knows nothing
  double pool_capacity_pct = 0;                      ///< as estimated for this moment; 0 without a fresh report
  upstream::Breaker::State breaker{};
  Duration breaker_remaining{};
  double breaker_admission = 1;    ///< share of the limit while admission ramps up
  double retry_after_seconds = 0;  ///< the level of `auto`, before jitter
  std::size_t keys = 0;            ///< clients with a request in flight or waiting
  struct Class {
    std::string name;
    int share = 0, reserve = 0, in_flight = 0, waiting = 0;
    bool overloaded = false;  ///< newest first
    Duration service_time{}, estimated_wait{};
  };
  std::vector<Class> classes;  ///< as in the policy
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
  /// Gives back the slot of an admitted request, which is fresh then. May end the wait of others.
  void finish(Request& request, Completion completion, Time now);
  /// A waiting request goes away (client closed). It is fresh and in no list afterwards.
  void abandon(Request& request);
  /// Refuses whoever has waited too long, as every event does. Call at least every 10 ms while anybody waits.
  void tick(Time now);
  /// A new policy keeps all state; waiting requests are looked at again.
  void configure(Policy policy, Time now);
  /// Refuses every waiting request (drain).
  void refuse_waiting(Reason reason);

  /// What the API reports of its pool. A report on a response is told after that request's `finish`.
  void observe(const PoolReport& report, Time now) { pool_.report(report, in_flight_, now); }
  /// The health poll found the API well.
  void health_succeeded() { breaker_.health_succeeded(); }

  /// The next request whose wait has ended (admitted or refused), or null. In order of decision.
  /// Drain it after every event: a decided request must not be abandoned or finished before it was handed out.
  Request* next_decided();

  /// What to tell a request refused for `reason`, in whole seconds. `random`: uniform 32 bits.
  int retry_after(Reason reason, std::uint32_t random, Time now) const;

  int in_flight() const { return in_flight_; }
  int queue_length() const { return room_.size(); }
  /// In force now: `max_concurrent` or what was learned, less while the breaker ramps up.
  int limit() const { return limit_now_; }
  upstream::Breaker::State breaker_state() const { return breaker_.state(); }
  Snapshot snapshot(Time now) const;

 private:
  struct Class {
    ClassPolicy policy;
    int share = 0;      // requests in flight at which the class is refused
    int reserve = 0;    // slots held back for it while it needs them
    int in_flight = 0;  // admitted, but for those refused in shadow
    Time needed_until{};
    ServiceTime service_time;
  };

  Class& class_of(int class_id) { return classes_[static_cast<std::size_t>(class_id)]; }
  const Class& class_of(int class_id) const { return classes_[static_cast<std::size_t>(class_id)]; }
  int class_id_of(int class_index) const;

  // The questions `arrive` asks, in its order.
  bool too_late(const Request& request, Time now) const;
  bool pool_exhausted(int class_id, Time now) const;
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

  void learn(const Request& request, Completion completion, Time now);
  void update_limit(Time now);
  void update_shares();
  void adopt(Policy policy);
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
  upstream::Breaker breaker_;
  PoolGauge pool_;
  KeyCounts keys_;
  RetryAfter retry_after_;
  ServiceTime service_time_;  // of all classes together: how often a slot becomes free
};

}  // namespace spillway::admission
