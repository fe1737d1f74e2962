#pragma once

#include <vector>

#include "proxy/admission/request.hpp"

namespace spillway::admission {

/// Where requests wait for a slot: one line per class, each in order of arrival.
/// Pure storage with the rules of precedence; whether a slot is free is the controller's question.
class WaitingRoom {
 public:
  /// Sets the order of precedence. `best_first` names every class id once; ids are 0, 1, 2…
  void arrange(std::vector<int> best_first);
  const std::vector<int>& best_first() const { return best_first_; }

  int size() const { return size_; }
  bool empty(int class_id) const { return line(class_id).empty(); }

  /// Joins the end of its class's line.
  void join(Request& request);
  /// Leaves, from any place in the line.
  void leave(Request& request);

  /// Who is served next in a class that has somebody waiting: the oldest.
  Request& next_served(int class_id) const { return *line(class_id).first(); }
  /// Who has waited longest in a class, or null.
  Request* oldest(int class_id) const { return line(class_id).first(); }
  /// Who a full room gives up for an arrival of `class_id`: the youngest of the lowest class that has somebody
  /// waiting, if that class is lower; else null, and the arrival itself is one too many.
  Request* given_up_for(int class_id) const;
  /// The youngest of the lowest class that has somebody waiting, or null.
  Request* last_in_line() const;

 private:
  RequestList& line(int class_id) { return lines_[static_cast<std::size_t>(class_id)]; }
  const RequestList& line(int class_id) const { return lines_[static_cast<std::size_t>(class_id)]; }

  std::vector<RequestList> lines_;  // by class id
  std::vector<int> best_first_;
  int size_ = 0;
};

}  // namespace spillway::admission
