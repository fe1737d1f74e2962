#include "api/server/descriptors.hpp"

#include <algorithm>

namespace api {

namespace {

/// Standard streams, the log, cancellations under way.
constexpr int kReserve = 31;
/// Of an event loop: epoll, its timer, its wake-up, its listener with a reserve, and up to 32 connections of
/// monitoring.
constexpr int kPerWorker = 37;

}  // namespace

int clients_that_fit(int limit, int wanted, int database, int workers) {
  return std::min(wanted, limit - database - kPerWorker * workers - kReserve);
}

}  // namespace api
