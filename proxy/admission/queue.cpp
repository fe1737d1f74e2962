#include "proxy/admission/queue.hpp"

#include <utility>

namespace spillway::admission {

void WaitingRoom::arrange(std::vector<int> best_first, const QueuePolicy& policy) {
  best_first_ = std::move(best_first);
  lines_.resize(best_first_.size());
  target_ = policy.target;
  interval_ = policy.interval;
}

void WaitingRoom::join(Request& request, Time now) {
  Line& joined = line(request.class_id);
  joined.requests.push_back(request);
  ++joined.length;
  ++size_;
  observe(request.class_id, now);
}

void WaitingRoom::leave(Request& request) {
  Line& left = line(request.class_id);
  left.requests.remove(request);
  --left.length;
  --size_;
}

void WaitingRoom::lose(Request& request, Time now) {
  leave(request);
  line(request.class_id).delay.lost(now);
}

void WaitingRoom::observe(int class_id, Time now) {
  const Duration wait = empty(class_id) ? Duration::zero() : now - next(class_id).arrived;
  line(class_id).delay.observe(wait, now, target_, interval_);
}

Request& WaitingRoom::next(int class_id) const {
  const Line& waiting = line(class_id);
  return waiting.delay.overloaded() ? *waiting.requests.last() : *waiting.requests.first();
}

Request* WaitingRoom::given_up_for(int class_id) const {
  Request* last = last_in_line();
  if (!last) return nullptr;
  if (last->class_id == class_id) return overloaded(class_id) ? last : nullptr;
  for (const int better : best_first_) {
    if (better == last->class_id) return nullptr;  // all that wait are better than the arrival
    if (better == class_id) break;
  }
  return last;
}

Request* WaitingRoom::last_in_line() const {
  for (auto lowest = best_first_.rbegin(); lowest != best_first_.rend(); ++lowest) {
    if (empty(*lowest)) continue;
    const Line& waiting = line(*lowest);
    return waiting.delay.overloaded() ? waiting.requests.first() : waiting.requests.last();
  }
  return nullptr;
}

}  // namespace spillway::admission
