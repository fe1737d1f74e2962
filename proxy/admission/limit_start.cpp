// How the learned limit begins.
#include <algorithm>
#include <cmath>

#include "proxy/admission/limit.hpp"

namespace spillway::admission {
namespace {

constexpr double kQueues = 0.35;       // throughput that grows by so much (log) less than the limit has met the knee,
constexpr double kSure = 2;            // if so many standard errors say so, else doubling goes on;
constexpr double kSlowSure = 2.75;     // more where windows take kLong and the lower one has fewer answers than
constexpr int kFew = 40;               // this: so much can be chance, and the way back up takes many windows
constexpr double kGrew = 0.1;          // from this growth (log) on, nothing queued at the lower limit
constexpr double kQueuesAtOnce = 0.4;  // so much excess is a queue uncompared if calls are equally long; else also
constexpr double kSlowSpreads = 2;     // the spread of the latencies more, or so many where windows take kLong,
constexpr double kDoubt = 3;           // and so many standard errors: the first window knows short calls only
constexpr double kHeadroom = 1.1;      // above the knee, then,
constexpr double kOptimism = 0.5;      // and so many standard errors: a limit too low costs more than one too high,
constexpr double kSlowOptimism = 4;    // the more so where windows take kLong: the way up takes many

}  // namespace

/// Doubles the limit until throughput surely grows less than the limit. Then starts with the limit that the throughput
/// needs. Limits that lie further apart tell more, so that doubt ends by itself.
void Limit::start(Point now_at, Time now) {
  const bool compared = before_.limit > 0;
  const double raised = compared ? std::log(now_at.limit / before_.limit) : 0;
  const Growth growth = compared ? admission::growth(window_, before_, now_at) : Growth{};
  const double missing = raised - growth.by, error = now_at.reading.error;
  const double queue = kQueuesAtOnce + (slow(now) ? kSlowSpreads : 1) * window_.spread() + kDoubt * error;
  const bool full = compared ? missing > kQueues : now_at.reading.excess > queue;
  const double errors = slow(now) && before_.reading.answers < kFew ? kSlowSure : kSure;
  const bool sure = !compared || std::abs(missing - kQueues) > errors * growth.error;

  // What is wrong with the floors: the first window knows short calls only, as long ones have not ended. If calls take
  // as long as windows, the next ones do not know them all, either: they lower the floors only if they are sure.
  const LatencyWindow::Reading& unloaded = before_.reading;
  const bool known = !slow(now) || unloaded.excess > 0 || unloaded.excess < -kSignificant * unloaded.error;
  double wrong = growth.by > kGrew && known ? unloaded.excess : 0;
  const double excess = now_at.reading.excess - wrong;
  if (compared && excess > 0 && in_proportion(growth, raised)) wrong += excess;
  if (excess < -kSignificant * error) wrong += kMuchFaster * excess;
  raise_floors(wrong);
  now_at.reading.excess -= wrong;
  now_at.reading.rate += wrong;

  if (limit_ < max_ && !(full && sure)) {
    if (sure) before_ = now_at;
    return move(2 * now_at.limit, Phase::start, now);
  }
  double level = level_;
  if (full && !compared) level *= std::exp(std::min(0.0, target() - now_at.reading.excess));
  if (full && compared) {
    const double needed = std::max(0.0, growth.by + (slow(now) ? kSlowOptimism : kOptimism) * growth.error);
    level = std::min(level, before_.limit * std::exp(needed) * kHeadroom);
  }
  move(level, Phase::hold, now);
}

}  // namespace spillway::admission
