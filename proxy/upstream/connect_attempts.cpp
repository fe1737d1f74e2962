#include "proxy/upstream/connect_attempts.hpp"

#include <algorithm>

namespace spillway::upstream {

std::optional<ConnectAttempts::Attempt> ConnectAttempts::next(Time now) {
  if (left_.empty() || now >= end_) return std::nullopt;
  const Duration share = (end_ - now) / static_cast<int>(left_.size());
  const Duration time = left_.size() == 1 ? end_ - now : std::min(kNextAfter, share);
  last_ = left_.front();
  left_.pop_front();
  return Attempt{last_, time};
}

}  // namespace spillway::upstream
