#include "proxy/admission/queue.hpp"

#include <utility>

namespace spillway::admission {

void WaitingRoom::arrange(std::vector<int> best_first) {
  best_first_ = std::move(best_first);
  lines_.resize(best_first_.size());
}

void WaitingRoom::join(Request& request) {
  line(request.class_id).push_back(request);
  ++size_;
}

void WaitingRoom::leave(Request& request) {
  line(request.class_id).remove(request);
  --size_;
}

Request* WaitingRoom::given_up_for(int class_id) const {
  Request* last = last_in_line();
  if (!last) return nullptr;
  for (const int better : best_first_) {
    if (better == last->class_id) return nullptr;  // the arrival is of this class or a lower one
    if (better == class_id) return last;
  }
  return nullptr;
}

Request* WaitingRoom::last_in_line() const {
  for (auto lowest = best_first_.rbegin(); lowest != best_first_.rend(); ++lowest) {
    if (!empty(*lowest)) return line(*lowest).last();
  }
  return nullptr;
}

}  // namespace spillway::admission
