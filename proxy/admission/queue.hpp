#pragma once

#include <vector>

#include "proxy/admission/cohort.hpp"
#include "proxy/admission/early_refusal.hpp"
#include "proxy/admission/policy.hpp"
#include "proxy/admission/rates.hpp"
#include "proxy/admission/request.hpp"
#include "proxy/admission/standing_overload.hpp"

namespace spillway::admission {

/// The requests that wait for a slot: one line for each class. The queue decides which request is served next, who has
/// a place and who loses it. The controller decides whether a slot is free.
///
/// While a burst may be all that it is, a line serves the oldest request first, and has places for as many as can be
/// served within `max_wait`. Under standing overload it serves the newest first and has just enough places to keep the
/// slots busy; everybody else is told at once. Better classes are served first, so their arrivals, starts and waiting
/// requests count in the rates and places of a line, too.
class Queue {
 public:
  /// Sets the order of the classes. `best_first` holds every class id once; ids are 0, 1, 2…
  void configure(std::vector<int> best_first, const QueuePolicy& policy, bool cohorts);
  const std::vector<int>& best_first() const { return best_first_; }

  int size() const { return size_; }
  bool empty(int class_id) const { return line(class_id).empty(); }
  int length(int class_id) const { return static_cast<int>(line(class_id).size()); }
  /// The class is under standing overload: the newest request is served first.
  bool overloaded(int class_id) const { return line(class_id).overload.standing() && !cohorts_; }
  /// Which clients of the class are served. With cohorts the oldest request is served first also under overload.
  const CohortThreshold& cohorts(int class_id) const { return line(class_id).cohorts; }
  /// Requests per second that are served of this class and better ones, while one of this class waits. 0: unknown.
  double service_rate(int class_id) const;
  /// Requests that are served before an arrival of the class.
  int ahead_of(int class_id) const;

  /// A request asks for a slot: now it starts, waits, or finds no place.
  void arrived(int class_id, Time now);
  /// A request asks for a slot while it is the turn of other clients.
  void asked(int class_id, Time now) { line(class_id).asking.arrived(now, line(class_id).times.patience); }
  /// A request has got a slot, after it has left the queue if it `waited`.
  void started(int class_id, bool waited, Time now);
  /// Finds out whether the class is under standing overload. Call before `takes`, and every few milliseconds.
  /// `computed`: the service rate to go by until there is a count, 0 if unknown; `service_time`: typical, 0 if unknown.
  /// True: the threshold for cohorts has just come into force.
  bool observe(int class_id, double computed, Duration service_time, Time now);

  /// Whether an arrival of the class has a place, and is not refused early. `victim_for` may still have to make the
  /// place. Call once for each arrival.
  bool takes(int class_id, Time now);
  /// The request that a queue of a fixed length, once full, evicts for an arrival of `class_id`: the last of a lower
  /// class, under standing overload also of the same class. Null: the arrival itself has no place, or none is needed.
  Request* victim_for(int class_id) const;
  bool full() const { return size_ >= most_; }
  /// The oldest request of a line that is longer than its places, under standing overload; or null.
  Request* surplus() const;

  /// Adds a request to the end of its class's line.
  void push(Request& request);
  /// Removes a request from any place in its line.
  void remove(Request& request);

  /// The request of a class that is served next: the oldest, or the newest under overload. The class must not be empty.
  Request& next(int class_id) const;
  /// The request of a class that has waited longest, or null.
  Request* oldest(int class_id) const { return line(class_id).front(); }
  /// The request that would be served last: of the lowest class that is not empty. Null if nobody waits.
  Request* last() const;

  /// What a successor goes on with, of a class: requests per second, and how its overload is dealt with.
  struct Learned {
    double arriving = 0, asking = 0, served = 0;
    bool standing = false;
    double threshold = 1;  ///< of the cohorts
  };
  Learned learned(int class_id, Time now) const;
  void restore(int class_id, const Learned& learned, Time now);

 private:
  struct Line : text::List<Request> {
    ArrivalRate arriving;        // of this class, over `times.interval`
    ArrivalRate asking;          // the same over `times.patience`, those included whose turn it is not
    ServiceRate service;         // of this class and better ones
    double computed_rate = 0;    // stands in for `service` until that has been counted
    double computed_before = 0;  // the same before the line got its first request
    Duration service_time{};
    OverloadTimes times;
    StandingOverload::Rates rates;
    StandingOverload overload;
    EarlyRefusal early;
    CohortThreshold cohorts;
  };
  Line& line(int class_id) { return lines_[static_cast<std::size_t>(class_id)]; }
  const Line& line(int class_id) const { return lines_[static_cast<std::size_t>(class_id)]; }
  double places(int class_id) const;
  bool refuses_early(int class_id, Time now);

  std::vector<Line> lines_;  // by class id
  std::vector<int> best_first_;
  QueuePolicy policy_;
  bool cohorts_ = false;
  int most_ = 0;
  int size_ = 0;
};

}  // namespace spillway::admission
