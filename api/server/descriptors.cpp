#include "api/server/descriptors.hpp"

#include <algorithm>

namespace api {

namespace {

/// Standard streams, the log, cancellations under way.
constexpr int kReserve = 31;
/// Of an event loop: epoll, a timer, a wake-up, a listener with its reserve, and 32 surplus connections.
constexpr int kPerWorker = 37;

}  // namespace

int clients_that_fit(int limit, int wanted, int database, int workers) {
  return std::min(wanted, limit - database - kPerWorker * workers - kReserve);
}

}  // namespace api
