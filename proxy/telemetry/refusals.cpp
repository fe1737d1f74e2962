#include "proxy/telemetry/refusals.hpp"

namespace spillway::telemetry {

namespace {
std::int64_t second_of(Time now) {
  return std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
}
}  // namespace

bool Refusals::take(admission::Reason reason, Time now) {
  Count& count = of(reason);
  const std::int64_t second = second_of(now);
  std::int64_t known = count.second.load(std::memory_order_relaxed);
  if (second != known && count.second.compare_exchange_strong(known, second, std::memory_order_relaxed)) {
    count.in_second.store(0, std::memory_order_relaxed);
  }
  if (count.in_second.fetch_add(1, std::memory_order_relaxed) < kPerSecond) return true;
  count.left_out.fetch_add(1, std::memory_order_relaxed);
  return false;
}

std::uint64_t Refusals::take_left_out(admission::Reason reason, Time now) {
  Count& count = of(reason);
  if (second_of(now) == count.second.load(std::memory_order_relaxed)) return 0;
  return count.left_out.exchange(0, std::memory_order_relaxed);
}

void Refusals::remember(Refusal refusal) {
  if (refusal.path.size() > kPathMax) refusal.path.resize(kPathMax);
  const std::lock_guard lock(mutex_);
  recent_.push_front(std::move(refusal));
  if (recent_.size() > kRemembered) recent_.pop_back();
}

std::vector<Refusals::Refusal> Refusals::recent() const {
  const std::lock_guard lock(mutex_);
  return {recent_.begin(), recent_.end()};
}

}  // namespace spillway::telemetry
