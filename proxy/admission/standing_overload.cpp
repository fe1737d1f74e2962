#include "proxy/admission/standing_overload.hpp"

#include <algorithm>
#include <utility>

namespace spillway::admission {
namespace {

/// So many requests have to be served within an interval: fewer arrive too unevenly to compare the rates. A slow API
/// gets longer intervals, and as much more patience.
constexpr double kServedPerInterval = 25;

/// A wait of less than this part of a service is no overload, however long a service takes.
constexpr double kTargetOfService = 0.25;

/// Overload begins only if the wait will be that many times `target` within a second. At a load of exactly 1 waits of
/// some 100 ms come and go: without this 2 % of the requests would be refused in vain. The more arrives, the sooner.
constexpr double kSoon = 8;

/// Overload ends when less arrives than this part of what is served. At a load of exactly 1 it must not begin and end
/// all the time. Over `patience` less must have arrived than is served, too: by chance that is so for an `interval` now
/// and then, at a load of 1.5 once a second if 25 are served in it.
constexpr double kEnough = 0.95;

/// Overload ends when more than this part of the starts finds a free slot. That happens only below capacity.
constexpr double kFreeStarts = 0.15;
Duration times(double factor, Duration d) {
  return std::chrono::duration_cast<Duration>(factor * d);
}

}  // namespace

OverloadTimes::OverloadTimes(const QueuePolicy& policy, double served, Duration service)
    : interval(policy.interval), patience(policy.patience), target(policy.target) {
  if (target > Duration::zero()) target = std::max(target, times(kTargetOfService, service));
  if (served <= 0) return;
  const double longer = kServedPerInterval / (served * in_seconds(interval));
  if (longer <= 1) return;
  interval = times(longer, interval);
  patience = times(longer, patience);
}

bool StandingOverload::over(const Rates& rates) {
  return rates.lasting < kEnough * rates.served;
}

void StandingOverload::observe(const Rates& rates, Duration wait, const OverloadTimes& times, Time now) {
  const bool excess = rates.served > 0 && rates.arriving > rates.served && times.target > Duration::zero();
  if (!std::exchange(excess_, excess) || now - observed_ > times.patience) excess_since_ = now;
  observed_ = now;
  if (!standing_) {
    if (!excess || now - excess_since_ < times.patience || wait < times.target) return;
    const double soon = in_seconds(wait) + rates.lasting / rates.served - 1;  // in a second, if it goes on like this
    standing_ = soon >= kSoon * in_seconds(times.target);
    if (standing_) found_free_ = 0;
  } else if (times.target == Duration::zero() || found_free_ > kFreeStarts ||
             (rates.arriving < kEnough * rates.served && rates.lasting < rates.served)) {
    standing_ = excess_ = false;
  }
}

}  // namespace spillway::admission
