#include "proxy/upstream/connect_attempts.hpp"

#include <algorithm>

namespace spillway::upstream {

std::optional<ConnectAttempts::Attempt> ConnectAttempts::next(Time now) {
  const auto count = static_cast<int>(endpoints_.size() - begun_);
  if (count == 0 || now >= end_) return std::nullopt;
  const Duration all = left(now);
  const Duration share = std::clamp(all / count, kNextNotBefore, kNextAfter);
  return Attempt{endpoints_[begun_++], count == 1 ? all : std::min(share, all)};
}

}  // namespace spillway::upstream
