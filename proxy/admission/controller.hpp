#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/admission/advice.hpp"
#include "proxy/admission/advisor.hpp"
#include "proxy/admission/api_shedding.hpp"
#include "proxy/admission/breaker.hpp"
#include "proxy/admission/client_usage.hpp"
#include "proxy/admission/database_need.hpp"
#include "proxy/admission/db_pool_gauge.hpp"
#include "proxy/admission/limit.hpp"
#include "proxy/admission/policy.hpp"
#include "proxy/admission/queue.hpp"
#include "proxy/admission/reason.hpp"
#include "proxy/admission/request.hpp"
#include "proxy/admission/retry_after.hpp"
#include "proxy/admission/service_time.hpp"
#include "proxy/net/clock.hpp"

namespace spillway::admission {

/// Every number behind a decision, for `/stats` and the sampled log line.
struct Snapshot {
  Mode mode{};
  int in_flight = 0, limit = 0, queue_length = 0;
  int streams = 0;                 ///< tunnels and event streams; not in `in_flight`
  int elsewhere = 0;               ///< slots that the process has which this one succeeds
  double baseline_seconds = 0;     ///< geometric mean of the latency of an unloaded API; 0 while not learned
  double latency_seconds = 0;      ///< the same of the latency now
  double pool_capacity_pct = 0;    ///< as estimated for this moment; 0 without a fresh report
  Breaker::State breaker{};        ///< the worst state of all breakers
  Breaker::State reach_breaker{};  ///< of the breaker for all classes: whether the API can be reached
  Duration breaker_remaining{};    ///< the longest of all breakers
  double breaker_admission = 1;    ///< share of the limit that is in use while admission ramps up
  double retry_after_seconds = 0;  ///< the level of `auto`, before jitter
  std::size_t keys = 0;            ///< clients with a request in flight or waiting
  struct Class {
    std::string name;
    int share = 0, reserve = 0, most = 0, in_flight = 0, waiting = 0;
    int max_concurrent = 0;       ///< its own cap; 0: none
    double database_share = 1;    ///< of its requests that need the database; 1 while unknown
    bool overloaded = false;      ///< the newest is served first
    bool pool_exhausted = false;  ///< for this class
    bool api_sheds = false;       ///< the API sheds most of its requests itself
    bool api_has_enough = false;  ///< and has been sent all that it takes at the moment
    Breaker::State breaker{};
    Duration breaker_remaining{};
    double breaker_admission = 1;  ///< part of its share that is in use while admission ramps up
    Duration service_time{}, estimated_wait{};
  };
  std::vector<Class> classes;  ///< as in the policy
};

/// What a successor of the process goes on with.
struct Learned {
  Limit::Learned limit;
  Breaker::Learned reach;
  TypicalTime::Learned service;
  double retry_after = RetryAfter::kLeast;
  bool need_reported = false;
  std::vector<Advisor::Level> curve;
  struct Class {
    std::string name;
    bool floor_known = false;
    double floor = 0;  ///< of latency: log of seconds
    TypicalTime::Learned service;
    Duration p90{};
    Breaker::Learned breaker;
    DatabaseNeed::Learned database;
    Queue::Learned queue;
  };
  std::vector<Class> classes;
};

/// A breaker has changed its state.
struct BreakerChange {
  std::string_view class_name;  ///< empty: the breaker for all classes
  Breaker::Change change;
};

/// Decides which requests go on to the API. Pure: no I/O, no clock, no lock. Events come with `now`; an event may end
/// the wait of requests, and `next_decided` returns those. Not thread-safe: the driver serialises calls. Owns no
/// request. `arrive`, `finish`, `abandon`, `expire` and `tick` allocate nothing.
///
/// Invariants, whatever the order of events:
///  - in `enforce`, no admission raises the requests in flight above the limit, nor above the class's share of it,
///    except within the class's own reserve;
///  - a request of a better class is served first, except within another class's reserve; in a class the oldest is
///    served first, or under standing overload the newest;
///  - no slot stays free while a request waits that may take it;
///  - every admitted request, streams included, is finished exactly once;
///  - no stream begins beside `streams.max` others, except in `off`.
class Controller {
 public:
  explicit Controller(Policy policy);

  /// Decides on a fresh request: admitted, waiting or refused, also left in `request.state`.
  Request::State arrive(Request& request, Time now);
  /// The connect for this admitted request has succeeded. Required only if `reach_pass.trial` is set.
  void reached(Request& request, Time now);
  /// An admitted request is answered with a tunnel or an event stream: its slot is released, which may end the wait of
  /// others, and it counts as a stream until `finish`. False: there are `streams.max` already, and it keeps its slot.
  bool begin_stream(Request& request, Time now);
  /// Releases the slot of an admitted request, or ends a stream; its state is `fresh` again. May end the wait of
  /// others.
  void finish(Request& request, Completion completion, Time now);
  /// Removes a waiting request, because its client has left. Its state is `fresh` again, and it is in no list.
  void abandon(Request& request);
  /// Refuses this request if it waits and can no longer be answered before its deadline. Else returns when to ask
  /// again; `Time::max()`: never.
  Time expire(Request& request, Time now);
  /// Refuses requests that have waited too long, as every event does. Call at least every 10 ms while a request waits,
  /// and a few times a second otherwise: breakers change with time, too.
  void tick(Time now);
  /// Takes a new policy and keeps all state. Waiting requests are decided anew.
  void configure(Policy policy, Time now);
  /// Refuses every waiting request (drain).
  void refuse_waiting(Reason reason);

  /// Takes a report of the API's database pool. A report that came on a response is passed on after `finish` of that
  /// request. May end the wait of others.
  void observe(const DbPoolReport& report, Time now);
  /// A health poll has ended.
  void polled(bool healthy, Time now);

  /// Whether `next_decided` or `next_breaker_change` has something to return.
  bool has_news() const { return breakers_changed_ || !decided_.empty(); }

  /// The next request whose wait has ended, admitted or refused; null if there is none. In order of decision.
  /// Call it until it returns null after every event: a decided request must not be abandoned or finished before.
  Request* next_decided();

  /// The next change of a breaker since the last call, or nothing.
  std::optional<BreakerChange> next_breaker_change();

  /// `Retry-After` of a refused request, in whole seconds. `random`: uniform 32 bits.
  int retry_after(const Request& refused, std::uint32_t random, Time now) const;
  /// The same for a request that the driver refused.
  int retry_after(std::uint32_t random) const { return retry_after_.seconds(random); }

  Learned learned(Time now) const;
  /// Once, before the first request. Classes are told by their names; those that the policy does not have are left out.
  void restore(const Learned& learned, Time now);

  // Two processes in front of one API: a successor has taken over, and its predecessor drains.
  /// The successor: so many requests and streams of the predecessor may be at the API. They count as this one's do, and
  /// while there are requests among them nothing is learned of the limit. May end the wait of others.
  void set_elsewhere(int requests, int streams, Time now);
  /// The predecessor: so many of its own requests may be at the API, if the limit is not lower. May end the wait of
  /// others.
  void set_ceiling(int requests, Time now);
  int ceiling() const { return ceiling_; }
  static constexpr int kNoCeiling = std::numeric_limits<int>::max();

  int in_flight() const { return in_flight_; }
  int streams() const { return streams_; }
  int queue_length() const { return queue_.size(); }
  /// The limit in force: `max_concurrent` or what was learned, less while the breaker for all classes ramps up.
  int limit() const { return limit_now_; }
  /// The worst state of all breakers.
  Breaker::State breaker_state() const;
  Snapshot snapshot(Time now) const;
  /// What the traffic says about the API's capacity.
  const Advisor& advisor() const { return advisor_; }
  Sizing sizing() const {
    return {policy_.max_concurrent, policy_.classes.front().shed_at, static_cast<int>(pool_.capacity())};
  }

 private:
  struct Class {
    ClassPolicy policy;
    int share = 0;      // requests in flight at which the class is refused
    int reserve = 0;    // slots that only it may take while it needs them
    int most = 0;       // its requests in flight at most: its own cap or the limit, less while its breaker ramps up
    int in_flight = 0;  // without those that `enforce` would have refused
    Time needed_until{};
    Time served = Time{} - std::chrono::hours(1);  // when the API last answered a request of it; at first long ago
    ServiceTime service_time;
    int late_ones = 0;  // refused because of their deadline since the last that was sent nevertheless
    DatabaseNeed database;
    Breaker breaker;                    // opened by failures of this class
    std::vector<ApiShedding> shedding;  // by rule: what the API sheds at one endpoint says little of another
  };

  Class& class_of(int class_id) { return classes_[static_cast<std::size_t>(class_id)]; }
  const Class& class_of(int class_id) const { return classes_[static_cast<std::size_t>(class_id)]; }
  int class_id_of(int class_index) const;

  // What `arrive` asks, in this order.
  bool circuit_closed(const Request& request, Time now);
  bool streams_full() const { return streams_ + streams_elsewhere_ >= policy_.streams.max; }
  bool too_late(const Request& request, Duration takes, Time now);
  bool pool_exhausted(int class_id, Time now) const;
  double in_flight_with_need() const;
  static ApiShedding& shedding_of(Class& c, const Request& request) {
    return c.shedding[std::min(static_cast<std::size_t>(request.rule), c.shedding.size() - 1)];
  }
  bool api_has_enough(const Request& request, Time now) {
    return shedding_of(class_of(request.class_id), request).enough(now);
  }
  bool may_start(int class_id, Time now) const;
  int fair_share(const Request& request) const {
    return share_of(policy_.fairness.share, class_of(request.class_id).share);
  }
  bool over_fair_share(const Request& request, Time now) const;
  bool crowds_out(const Request& request, Time now) const;
  bool out_of_turn(const Request& request) const { return !queue_.cohorts(request.class_id).serves(request.place); }
  bool may_wait(int class_id) const;

  int occupied() const;
  bool alone() const { return elsewhere_ == 0; }
  int slots() const { return std::min(limit(), ceiling_); }
  int held_for_others(int class_id, Time now) const;
  Duration estimated_wait(int class_id, Time now) const;
  Duration surely_done_in(int class_id, Time now) const;
  double computed_rate(int class_id, Time now) const;

  // What becomes of a request.
  Request::State admit(Request& request, Time now);
  Request::State refuse(Request& request, Reason reason, Time now);
  Request::State start(Request& request, Time now);
  Request::State wait(Request& request, Time now);
  void release(Request& request, Completion completion, Time now);
  void serve(Request& waiting, Time now);
  void evict(Request& waiting, Reason reason, Time now);
  void serve_waiting(Time now);
  void observe_queue(int class_id, Time now);
  void evict_surplus(Time now);
  void refuse_waiting(int class_id, Reason reason);

  void learn(const Request& request, Completion completion, Time now);
  void learn_of_load(const Request& request, Completion completion, Time now);
  bool sheds_all(Time now) const;
  Duration next_chance(const Class& c, Time now) const;
  void note(const Breaker& breaker);
  void update_limit(Time now);
  void update_shares(Time now);
  void adopt(Policy policy, Time now);
  void count_client(Request& request, Time now);
  void release_client(Request& request);

  Policy policy_;
  std::vector<Class> classes_;  // by class id; never shrinks, so that a request keeps its class across reloads
  std::vector<int> class_ids_;  // by class index of the current policy
  Queue queue_;
  text::List<Request> decided_;
  int in_flight_ = 0;
  int in_flight_refused_in_shadow_ = 0;
  int streams_ = 0;
  int elsewhere_ = 0, streams_elsewhere_ = 0;  // of the process that this one succeeds
  int ceiling_ = kNoCeiling;                   // set when this one has a successor

  Limit limit_;
  int limit_now_ = 0;
  bool reserves_ = false;          // a class has a reserve
  Breaker reach_;                  // for all classes: opened by failed connects
  bool breakers_changed_ = false;  // a breaker has a change that `next_breaker_change` has not returned
  bool classes_ramp_ = false;      // the breaker of a class ramps up
  Time polled_{};
  bool poll_healthy_ = false;
  DbPoolGauge pool_;
  bool need_reported_ = false;  // the API has said of a request whether it needed the database
  ClientUsage clients_;
  Advisor advisor_;
  Time no_slot_ = Time{} - std::chrono::hours(1);  // for a client within its fair share; at first long ago
  RetryAfter retry_after_;
  TypicalTime service_time_;  // of all classes together: tells how often a slot becomes free
};

}  // namespace spillway::admission
