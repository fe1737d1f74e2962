#pragma once

#include <vector>

#include "proxy/admission/delay_control.hpp"
#include "proxy/admission/policy.hpp"
#include "proxy/admission/request.hpp"

namespace spillway::admission {

/// Where requests wait for a slot: one line per class, each in order of arrival and with its own delay control.
/// Knows who goes first and who is given up; whether a slot is free is the controller's question.
class WaitingRoom {
 public:
  /// Sets the order of precedence. `best_first` names every class id once; ids are 0, 1, 2…
  void arrange(std::vector<int> best_first, const QueuePolicy& policy);
  const std::vector<int>& best_first() const { return best_first_; }

  int size() const { return size_; }
  bool empty(int class_id) const { return line(class_id).requests.empty(); }
  int length(int class_id) const { return line(class_id).length; }
  /// A standing overload of this class: newest first, and a full room gives up its oldest.
  bool overloaded(int class_id) const { return line(class_id).delay.overloaded(); }

  /// Joins its class's line.
  void join(Request& request, Time now);
  /// Leaves, from any place in the line.
  void leave(Request& request);
  /// Leaves unserved, because it waited in vain or a full room gave it up.
  void lose(Request& request, Time now);
  /// Looks at how long the next of a class has waited: before each service, and every few milliseconds.
  void observe(int class_id, Time now);

  /// Who is next in a class that has somebody waiting: the oldest, or the newest under overload.
  Request& next(int class_id) const;
  /// Who has waited longest in a class, or null.
  Request* oldest(int class_id) const { return line(class_id).requests.first(); }
  /// Who a full room gives up for an arrival of `class_id`, or null if the arrival itself is one too many:
  /// the last in line of a lower class, under overload also of the same.
  Request* given_up_for(int class_id) const;
  /// Of the lowest class that has somebody waiting, who would be served last; or null.
  Request* last_in_line() const;

 private:
  struct Line {
    RequestList requests;
    int length = 0;
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
