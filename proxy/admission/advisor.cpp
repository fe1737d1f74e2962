#include "proxy/admission/advisor.hpp"

#include <algorithm>
#include <cmath>

namespace spillway::admission {
namespace {

constexpr double kMemory = 600;        // seconds; then everything counts half
constexpr double kLeastAnswers = 500;  // fewer say nothing
/// The straight part of the curve, where each request has a free slot, is looked for among so many answers at the lower
/// end; the upper end of the curve is made of so many. They tell a rate within 5 % (Poisson).
constexpr double kEndAnswers = 400;
/// The lower end must be so far below the upper one.
constexpr double kLowEnd = 0.6;
/// Throughput has stopped growing where it is below this part of what free slots would give.
constexpr double kBent = 0.85;
/// The throughput at the capacity is that of this range around it, in parts of the capacity. A narrow one would follow
/// chance: with fixed service times the rate at a single level depends on how the API came there.
constexpr double kFrom = 0.9, kTo = 1.4;
/// Throughput falls with what is in flight if it ends below this part of its best.
constexpr double kFalls = 0.9;
/// In flight for less than this part of the time is chance.
constexpr double kSeldom = 0.01;

}  // namespace

void Advisor::passed(int in_flight, Time now) {
  const double seconds = in_seconds(now - last_);
  last_ = now;
  if (in_flight <= 0) return;
  levels_[level_of(in_flight)].seconds += seconds;
  seconds_ += seconds;
  if (seconds_ < kMemory) return;
  for (Level& level : levels_) level = {level.seconds / 2, level.answers / 2};
  seconds_ /= 2;
}

void Advisor::answered(int in_flight) {
  if (in_flight > 0) levels_[level_of(in_flight)].answers += 1;
}

std::size_t Advisor::level_of(int in_flight) {
  if (in_flight < kExact) return static_cast<std::size_t>(in_flight);
  const double doublings = std::log2(in_flight / static_cast<double>(kExact));
  return std::min(kLevels - 1, static_cast<std::size_t>(kExact + doublings * kPerDoubling));
}

double Advisor::in_flight_at(std::size_t level) {
  if (level < static_cast<std::size_t>(kExact)) return static_cast<double>(level);
  return kExact * std::exp2((static_cast<double>(level) - kExact + 0.5) / kPerDoubling);
}

Advisor::Range Advisor::range(double from, double to) const {
  Range sum;
  for (std::size_t at = std::max<std::size_t>(1, level_of(static_cast<int>(from))); at < kLevels; ++at) {
    const double in_flight = in_flight_at(at);
    if (in_flight > to) break;
    if (in_flight >= from) sum.add(levels_[at], in_flight);
  }
  return sum;
}

std::vector<Advisor::Level> Advisor::learned() const {
  std::size_t count = kLevels;
  while (count > 0 && levels_[count - 1].seconds == 0) --count;
  return {levels_.begin(), levels_.begin() + static_cast<std::ptrdiff_t>(count)};
}

void Advisor::restore(const std::vector<Level>& levels) {
  levels_ = {};
  std::copy_n(levels.begin(), std::min(levels.size(), kLevels), levels_.begin());
  seconds_ = 0;
  for (const Level& level : levels_) seconds_ += level.seconds;
}

Advice Advisor::advice() const {
  Advice advice;
  if (seconds_ == 0) return advice;
  Range low, high;  // the two ends of the curve
  double later = 0;
  for (std::size_t at = 1; at < kLevels && low.answers < kEndAnswers; ++at) low.add(levels_[at], in_flight_at(at));
  for (std::size_t at = kLevels - 1; at > 0 && (high.answers < kEndAnswers || advice.most == 0); --at) {
    if (high.answers < kEndAnswers) high.add(levels_[at], in_flight_at(at));
    later += levels_[at].seconds;
    if (later >= kSeldom * seconds_ && advice.most == 0) advice.most = static_cast<int>(std::lround(in_flight_at(at)));
  }
  if (range(0, in_flight_at(kLevels - 1)).answers < kLeastAnswers) return advice;

  // At one load alone, slots that are slow look like slots that are few.
  if (low.in_flight() > kLowEnd * high.in_flight()) return advice;

  advice.service = low.slot_seconds / low.answers;
  Range best = high;
  for (std::size_t at = 1; at < kLevels; ++at) {
    const Range around = range(kFrom * in_flight_at(at), kTo * in_flight_at(at));
    if (around.answers >= kEndAnswers && around.rate() > best.rate()) best = around;
  }
  const Range free = range(1, best.rate() * advice.service / 2);
  if (free.answers >= kEndAnswers) advice.service = free.slot_seconds / free.answers;
  const bool bent = high.rate() * advice.service < kBent * high.in_flight();
  advice.kind = bent ? Advice::Kind::found : Advice::Kind::at_least;
  double slots = bent ? best.rate() * advice.service : advice.most;
  if (bent) {
    const Range around = range(kFrom * slots, kTo * slots);
    if (around.answers >= kEndAnswers) slots = (slots + around.rate() * advice.service) / 2;
  }
  advice.slots = std::max(1, static_cast<int>(std::lround(slots)));
  advice.throughput = best.rate();
  advice.thrashes = high.rate() < kFalls * best.rate();
  return advice;
}

}  // namespace spillway::admission
