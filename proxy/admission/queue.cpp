#include "proxy/admission/queue.hpp"

#include <utility>

namespace spillway::admission {

void Queue::configure(std::vector<int> best_first, const QueuePolicy& policy) {
  best_first_ = std::move(best_first);
  lines_.resize(best_first_.size());
  target_ = policy.target;
  interval_ = policy.interval;
}

void Queue::push(Request& request, Time now) {
  line(request.class_id).push_back(request);
  ++size_;
  observe(request.class_id, now);
}

void Queue::remove(Request& request) {
  line(request.class_id).erase(request);
  --size_;
}

void Queue::evict(Request& request, Time now) {
  remove(request);
  line(request.class_id).delay.lost(now);
}

void Queue::observe(int class_id, Time now) {
  const Duration wait = empty(class_id) ? Duration::zero() : now - next(class_id).arrived;
  line(class_id).delay.observe(wait, now, target_, interval_);
}

Request& Queue::next(int class_id) const {
  const Line& waiting = line(class_id);
  return waiting.delay.overloaded() ? *waiting.back() : *waiting.front();
}

Request* Queue::victim_for(int class_id) const {
  Request* victim = last();
  if (!victim) return nullptr;
  if (victim->class_id == class_id) return overloaded(class_id) ? victim : nullptr;
  for (const int better : best_first_) {
    if (better == victim->class_id) return nullptr;  // all waiting requests are of better classes than the arrival
    if (better == class_id) break;
  }
  return victim;
}

Request* Queue::last() const {
  for (auto lowest = best_first_.rbegin(); lowest != best_first_.rend(); ++lowest) {
    if (empty(*lowest)) continue;
    const Line& waiting = line(*lowest);
    return waiting.delay.overloaded() ? waiting.front() : waiting.back();
  }
  return nullptr;
}

}  // namespace spillway::admission
