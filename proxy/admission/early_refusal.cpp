#include "proxy/admission/early_refusal.hpp"

#include <algorithm>

namespace spillway::admission {
namespace {

/// One of so many arrivals in a row is refused. At a load of 1, and with a loss of 1 % between an answer and the next
/// request, fewer refusals leave the p99 above 1.1 of that without a proxy, and more cost a point of the answers.
constexpr int kEach = 40;

/// As much arrives as is served: between these parts of it over `patience`, and over the shorter `interval`. By chance
/// the first is 10 % off now and then, the second 20 %. In waves the second is far off.
constexpr double kLeast = 0.95, kMost = 1.2;
constexpr double kLeastNow = 0.7, kMostNow = 1.4;

/// The queue is long if it takes more than the `target` to serve, at least so many wait (fewer meet by chance),
constexpr double kLeastLength = 20;
/// and it has grown by this factor lately:
constexpr double kGrown = 2;
/// within one to two of these periods. One is twice the patience: it lasts longer than what counts as a burst.
constexpr int kPeriod = 2;

bool balanced(const StandingOverload::Rates& rates) {
  return rates.lasting > kLeast * rates.served && rates.lasting < kMost * rates.served &&
         rates.arriving > kLeastNow * rates.served && rates.arriving < kMostNow * rates.served;
}

}  // namespace

bool EarlyRefusal::refuses(int length, const StandingOverload::Rates& rates, const OverloadTimes& times, Time now) {
  const int least = least_lately(length, kPeriod * times.patience, now);
  const double long_from = std::max({kGrown * least, in_seconds(times.target) * rates.served, kLeastLength});
  if (!balanced(rates) || length < long_from || times.target == Duration::zero()) {
    long_ones_ = 0;
    return false;
  }
  if (++long_ones_ < kEach) return false;
  long_ones_ = 0;
  return true;
}

/// The least length of this period and the one before.
int EarlyRefusal::least_lately(int length, Duration period, Time now) {
  if (now - since_ >= period) {
    least_before_ = now - since_ < 2 * period ? least_ : length;
    least_ = length;
    since_ = now;
  }
  least_ = std::min(least_, length);
  return std::min(least_, least_before_);
}

}  // namespace spillway::admission
