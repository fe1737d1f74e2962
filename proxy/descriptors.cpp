#include "proxy/descriptors.hpp"

#include <algorithm>
#include <filesystem>
#include <limits>

#include <sys/resource.h>

namespace spillway {

namespace {
/// Open for a moment: a health poll, a configuration and a file that it names while they are read.
constexpr int kPassing = 3;
/// With fewer to share out there is no point in starting.
constexpr int kFewest = 8;
/// Where descriptors are scarce, one in so many is for admin connections, and at least two: a scrape beside a probe.
constexpr int kAdminShare = 8;
constexpr int kFewestAdmin = 2;
/// Without /proc: three standard streams, and for each loop and listener a few.
constexpr int kGuess = 64;
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

int raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return kGuess;
  if (limit.rlim_cur < limit.rlim_max) {
    const rlimit raised{limit.rlim_max, limit.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return static_cast<int>(std::min<rlim_t>(limit.rlim_cur, std::numeric_limits<int>::max()));
}

int open_descriptors() {
  std::error_code error;
  int count = -1;  // the folder itself is open, too
  for (std::filesystem::directory_iterator it("/proc/self/fd", error), end; !error && it != end; it.increment(error)) {
    ++count;
  }
  return error || count < 0 ? kGuess : count;
}

}  // namespace spillway
