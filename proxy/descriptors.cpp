#include "proxy/descriptors.hpp"

#include <algorithm>

namespace spillway {

namespace {
/// Open for a moment: a health poll, a configuration and a file that it names while they are read.
constexpr int kPassing = 3;
/// With fewer to share out there is no point in starting.
constexpr int kFewest = 8;
/// Where descriptors are scarce, one in so many is for admin connections, and at least two: a scrape beside a probe.
constexpr int kAdminShare = 8;
constexpr int kFewestAdmin = 2;
}  // namespace

Connections fit(const Descriptors& have, const Connections& wanted, int workers) {
  const int left = have.limit - have.used - kPassing - workers;
  if (left < kFewest) return {};
  // Not a sum: it could be beyond an int.
  if (left - wanted.admin - wanted.upstream >= wanted.clients) return wanted;
  Connections fitted;
  fitted.admin = std::min(wanted.admin, std::max(kFewestAdmin, left / kAdminShare));
  fitted.upstream = std::min(wanted.upstream, (left - fitted.admin) / 2);
  fitted.clients = std::min(wanted.clients, left - fitted.admin - fitted.upstream);
  return fitted;
}

}  // namespace spillway
