#pragma once

#include <vector>

#include "proxy/admission/policy.hpp"
#include "proxy/admission/queue.hpp"
#include "proxy/admission/reason.hpp"
#include "proxy/admission/request.hpp"
#include "proxy/clock.hpp"

namespace spillway::admission {

/// Decides who may go on to the API. Pure: no I/O, no clock, no lock. Events come with `now`;
/// the requests whose wait they end are handed out by `next_decided`. Not thread-safe: the driver serialises calls.
/// Owns no request. After an event allocates nothing.
///
/// Invariants, whatever the order of events:
///  - in `enforce`, requests in flight never exceed the limit, nor a class's share of it at admission, its own reserve
///  apart;
///  - a better class goes first, other classes' reserves apart, and within a class the oldest, or under standing
///  overload the newest;
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
  /// Refuses whoever has waited too long. Call at least every 10 ms while anybody waits.
  void tick(Time now);
  /// A new policy keeps all state; waiting requests are looked at again.
  void configure(Policy policy, Time now);
  /// Refuses every waiting request (drain).
  void refuse_waiting(Reason reason);

  /// The next request whose wait has ended (admitted or refused), or null. In order of decision.
  /// Drain it after every event: a decided request must not be abandoned or finished before it was handed out.
  Request* next_decided();

  int in_flight() const { return in_flight_; }
  int queue_length() const { return room_.size(); }
  int limit() const { return policy_.max_concurrent; }

 private:
  struct Class {
    ClassPolicy policy;
    int share = 0;      // requests in flight at which the class is refused
    int reserve = 0;    // slots held back for it while it needs them
    int in_flight = 0;  // admitted, but for those refused in shadow
    Time needed_until{};
  };

  Class& class_of(int class_id) { return classes_[static_cast<std::size_t>(class_id)]; }
  const Class& class_of(int class_id) const { return classes_[static_cast<std::size_t>(class_id)]; }
  int class_id_of(int class_index) const;
  bool may_start(int class_id, Time now) const;
  int held_for_others(int class_id, Time now) const;
  bool may_wait(const Class& c) const;
  int occupied() const;

  Request::State admit(Request& request);
  Request::State refuse(Request& request, Reason reason);
  Request::State admit_in_shadow(Request& request, Reason reason);
  Request::State wait(Request& request, Time now);
  void serve(Request& waiting);
  void give_up(Request& waiting, Reason reason, Time now);
  void serve_waiting(Time now);
  void adopt(Policy policy);

  Policy policy_;
  std::vector<Class> classes_;  // by class id; only ever grows, so that a request keeps its class across reloads
  std::vector<int> class_ids_;  // by class index of the current policy
  WaitingRoom room_;
  RequestList decided_;
  int in_flight_ = 0;
  int in_flight_refused_in_shadow_ = 0;
};

}  // namespace spillway::admission
