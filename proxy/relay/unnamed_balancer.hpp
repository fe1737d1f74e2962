#pragma once

#include <string>
#include <string_view>

namespace spillway::relay {

/// Finds a peer that keeps telling of clients without being trusted: probably a load balancer that nobody has named.
/// Of many peers that do so now and then none is found: those are clients. Pure.
class UnnamedBalancer {
 public:
  /// A peer is found when it has sent so many more such requests than all others together.
  static constexpr int kEnough = 100;

  /// One request of `peer` with X-Forwarded-For or Forwarded. True: it is found now.
  bool tells_of_clients(std::string_view peer) {
    if (lead_ == kEnough) return false;
    // The majority vote of Boyer and Moore: others cancel out.
    if (lead_ == 0) peer_ = peer;
    lead_ += peer == peer_ ? 1 : -1;
    return lead_ == kEnough;
  }

 private:
  std::string peer_;
  int lead_ = 0;
};

}  // namespace spillway::relay
