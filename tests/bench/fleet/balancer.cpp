#include "tests/bench/fleet/balancer.hpp"

#include <algorithm>

namespace fleet {

Balancer::Balancer(Balancing kind, int replicas) : kind_(kind), places_(static_cast<std::size_t>(replicas)) {
  for (int i = 0; i < replicas; ++i) add(i);
}

int Balancer::choose(std::mt19937_64& random) {
  if (kind_ == Balancing::least_request) {
    for (const std::vector<int>& equals : by_outstanding_) {
      if (!equals.empty()) return equals[random() % equals.size()];
    }
    return -1;
  }
  const auto any = [&] {
    for (std::size_t tries = 0; tries < places_.size(); ++tries) {
      const std::size_t i = kind_ == Balancing::round_robin ? next_++ % places_.size() : random() % places_.size();
      if (places_[i].outstanding >= 0) return static_cast<int>(i);
    }
    return -1;
  };
  const int one = any();
  if (kind_ == Balancing::round_robin || one < 0) return one;
  const int other = any();
  return other >= 0 && outstanding(other) < outstanding(one) ? other : one;
}

void Balancer::lose(int replica) {
  move(replica, -1);
}

void Balancer::add(int replica) {
  move(replica, 0);
}

void Balancer::move(int replica, int outstanding) {
  Place& place = places_[static_cast<std::size_t>(replica)];
  if (place.outstanding >= 0) {
    std::vector<int>& from = by_outstanding_[static_cast<std::size_t>(place.outstanding)];
    const int last = from.back();
    from[place.at] = last;
    places_[static_cast<std::size_t>(last)].at = place.at;
    from.pop_back();
  }
  place.outstanding = outstanding;
  if (outstanding < 0) return;
  const auto count = static_cast<std::size_t>(outstanding);
  if (by_outstanding_.size() <= count) by_outstanding_.resize(count + 1);
  place.at = by_outstanding_[count].size();
  by_outstanding_[count].push_back(replica);
}

}  // namespace fleet
