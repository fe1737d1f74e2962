#include "api/server/descriptors.hpp"

#include <algorithm>
#include <limits>

#include <sys/resource.h>

namespace api {

namespace {

/// Standard streams, listeners, cancellations under way.
constexpr int kReserve = 32;
/// Of an event loop: epoll, its timer, its wake-up, its listener, and up to 32 connections of whoever watches.
constexpr int kPerWorker = 36;

}  // namespace

int raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<int>(std::min<rlim_t>(limit.rlim_cur, std::numeric_limits<int>::max()));
}

int clients_that_fit(int limit, int wanted, int database, int workers) {
  return std::min(wanted, limit - database - kPerWorker * workers - kReserve);
}

}  // namespace api
