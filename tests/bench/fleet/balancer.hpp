#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace fleet {

enum class Balancing : std::uint8_t { round_robin, least_request, random_two };

/// Chooses a replica for each request. It knows what it has sent, and nothing of what goes on inside.
class Balancer {
 public:
  Balancer(Balancing kind, int replicas);

  /// Of those that are there; -1: none is.
  int choose(std::mt19937_64& random);
  void sent(int replica) { move(replica, outstanding(replica) + 1); }
  void ended(int replica) { move(replica, outstanding(replica) - 1); }
  /// With what it worked on.
  void lose(int replica);
  void add(int replica);

 private:
  struct Place {
    int outstanding = -1;  // -1: it is gone
    std::size_t at = 0;    // in the list of those with as many outstanding, or of all
  };
  int outstanding(int replica) const { return places_[static_cast<std::size_t>(replica)].outstanding; }
  void move(int replica, int outstanding);

  Balancing kind_;
  std::vector<Place> places_;
  std::vector<std::vector<int>> by_outstanding_;
  std::size_t next_ = 0;
};

}  // namespace fleet
