// How the controller follows its policy: the limit, and each class's share of it.
#include <algorithm>
#include <cassert>
#include <utility>

#include "proxy/admission/controller.hpp"

namespace spillway::admission {
namespace {

/// The breaker for all classes counts connects: one that takes too long has failed, so none is slow.
BreakerPolicy reach_policy(const Policy& policy) {
  BreakerPolicy reach = policy.breaker;
  reach.slow_call = Duration::zero();
  return reach;
}

std::size_t most_keys(const Policy& policy) {
  return static_cast<std::size_t>(policy.max_concurrent) + static_cast<std::size_t>(policy.queue.most());
}

}  // namespace

Controller::Controller(Policy policy)
    : limit_(policy.adaptive, policy.max_concurrent),
      reach_(reach_policy(policy)),
      clients_(most_keys(policy)),
      retry_after_(policy.retry_after) {
  adopt(std::move(policy), Time{});
}

void Controller::configure(Policy policy, Time now) {
  limit_.configure(policy.adaptive, policy.max_concurrent);
  reach_.configure(reach_policy(policy));
  note(reach_);
  clients_.reserve(most_keys(policy));
  retry_after_.configure(policy.retry_after);
  adopt(std::move(policy), now);

  for (const int id : queue_.best_first()) {
    while (!queue_.empty(id) && policy_.mode != Mode::enforce) serve(*queue_.oldest(id), now);
    while (!queue_.empty(id) && !may_wait(id)) evict(*queue_.oldest(id), Reason::capacity, now);
  }
  while (queue_.size() > policy_.queue.most()) evict(*queue_.last(), Reason::queue_full, now);
  tick(now);
}

void Controller::adopt(Policy policy, Time now) {
  policy_ = std::move(policy);
  assert(policy_.max_concurrent >= 1 && !policy_.classes.empty());
  class_ids_.clear();
  for (const ClassPolicy& wanted : policy_.classes) {
    auto known =
        std::find_if(classes_.begin(), classes_.end(), [&](const Class& c) { return c.policy.name == wanted.name; });
    if (known == classes_.end()) known = classes_.emplace(classes_.end());
    known->policy = wanted;
    known->shedding.resize(static_cast<std::size_t>(std::max(1, wanted.rules)));
    class_ids_.push_back(static_cast<int>(known - classes_.begin()));
  }
  for (Class& c : classes_) {
    c.breaker.configure(policy_.breaker);
    note(c.breaker);
  }
  limit_now_ = limit_.value();
  update_shares(now);

  // A class that the policy no longer has comes behind the classes of the same share, until its last request has ended.
  std::vector<int> order(class_ids_.begin() + 1, class_ids_.end());
  order.push_back(class_ids_.front());
  for (int id = 0; id < static_cast<int>(classes_.size()); ++id) {
    if (std::find(class_ids_.begin(), class_ids_.end(), id) == class_ids_.end()) order.push_back(id);
  }
  const auto shed_at = [&](int id) { return class_of(id).policy.shed_at; };
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return shed_at(a) > shed_at(b); });
  queue_.configure(std::move(order), policy_.queue, policy_.cohorts);
}

void Controller::update_limit(Time now) {
  const int limit = reach_.admitted(limit_.value(), now);
  if (std::exchange(limit_now_, limit) != limit || classes_ramp_) update_shares(now);
}

void Controller::update_shares(Time now) {
  classes_ramp_ = reserves_ = false;
  for (Class& c : classes_) {
    c.share = share_of(c.policy.shed_at, limit());
    c.reserve = reserve_of(c.policy.reserve, limit(), policy_.max_concurrent);
    reserves_ = reserves_ || c.reserve > 0;
    c.most = c.policy.max_concurrent > 0 ? std::min(c.policy.max_concurrent, limit()) : limit();
    if (!c.breaker.ramps(now)) continue;
    c.most = std::min(c.most, c.breaker.admitted(std::max({1, c.share, c.reserve}), now));
    classes_ramp_ = true;
  }
}

}  // namespace spillway::admission
