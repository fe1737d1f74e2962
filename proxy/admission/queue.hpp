#pragma once

#include <vector>

#include "proxy/admission/delay_control.hpp"
#include "proxy/admission/policy.hpp"
#include "proxy/admission/request.hpp"

namespace spillway::admission {

/// The requests that wait for a slot: one line for each class, in order of arrival, with its own delay control.
/// The queue decides which request is served next and which is evicted. The controller decides whether a slot is free.
class Queue {
 public:
  /// Sets the order of the classes. `best_first` holds every class id once; ids are 0, 1, 2…
  void configure(std::vector<int> best_first, const QueuePolicy& policy);
  const std::vector<int>& best_first() const { return best_first_; }

  int size() const { return size_; }
  bool empty(int class_id) const { return line(class_id).empty(); }
  int length(int class_id) const { return static_cast<int>(line(class_id).size()); }
  /// The class is under standing overload: the newest request is served first, and a full queue evicts the oldest.
  bool overloaded(int class_id) const { return line(class_id).delay.overloaded(); }

  /// Adds a request to the end of its class's line.
  void push(Request& request, Time now);
  /// Removes a request from any place in its line.
  void remove(Request& request);
  /// Removes a request that is not served: it waited too long, or a better one takes its place.
  void evict(Request& request, Time now);
  /// Tells the delay control how long the next request of a class has waited. Call before each service, and every few
  /// milliseconds.
  void observe(int class_id, Time now);

  /// The request of a class that is served next: the oldest, or the newest under overload. The class must not be empty.
  Request& next(int class_id) const;
  /// The request of a class that has waited longest, or null.
  Request* oldest(int class_id) const { return line(class_id).front(); }
  /// The request that a full queue evicts for an arrival of `class_id`: the last of a lower class, under overload also
  /// of the same class. Null: the arrival itself has no place.
  Request* victim_for(int class_id) const;
  /// The request that would be served last: of the lowest class that is not empty. Null if nobody waits.
  Request* last() const;

 private:
  struct Line : text::List<Request> {
    DelayControl delay;
  };
  Line& line(int class_id) { return lines_[static_cast<std::size_t>(class_id)]; }
  const Line& line(int class_id) const { return lines_[static_cast<std::size_t>(class_id)]; }

  std::vector<Line> lines_;  // by class id
  std::vector<int> best_first_;
  Duration target_{}, interval_{};
  int size_ = 0;
};

}  // namespace spillway::admission
