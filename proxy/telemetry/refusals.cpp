#include "proxy/telemetry/refusals.hpp"

#include <algorithm>
#include <numeric>

namespace spillway::telemetry {

namespace {
template <class TimePoint>
std::int64_t second_of(TimePoint now) {
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
  refusal.path = path_pattern(refusal.path);
  const auto alike = [&](const Counted& group) {
    return group.last.reason == refusal.reason && group.last.class_index == refusal.class_index &&
           group.last.method == refusal.method && group.last.path == refusal.path;
  };
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(groups_.begin(), groups_.end(), alike);
  Counted group = found == groups_.end() ? Counted{refusal, {}} : std::move(*found);
  if (found != groups_.end()) groups_.erase(found);
  // Of two threads, the later time may come first: it counts in the newer second then.
  for (std::int64_t second = second_of(group.last.at); second < second_of(refusal.at); ++second) {
    if (second_of(refusal.at) - second > kWindow) second = second_of(refusal.at) - kWindow;
    std::rotate(group.by_second.begin(), group.by_second.end() - 1, group.by_second.end());
    group.by_second.front() = 0;
  }
  ++group.by_second.front();
  if (group.last.at < refusal.at) group.last = std::move(refusal);
  groups_.push_front(std::move(group));
  if (groups_.size() > kGroups) groups_.pop_back();
}

std::uint32_t Refusals::Counted::within(std::int64_t now) const {
  const std::int64_t left = std::clamp<std::int64_t>(kWindow - (now - second_of(last.at)), 0, kWindow);
  return std::accumulate(by_second.begin(), by_second.begin() + left, std::uint32_t{0});
}

std::vector<Refusals::Group> Refusals::groups(std::chrono::system_clock::time_point now) const {
  std::vector<Group> groups;
  {
    const std::lock_guard lock(mutex_);
    for (const Counted& group : groups_) {
      if (const std::uint32_t count = group.within(second_of(now)); count > 0) groups.push_back({group.last, count});
    }
  }
  std::stable_sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) { return a.count > b.count; });
  return groups;
}

std::string path_pattern(std::string_view path) {
  constexpr std::size_t kIdentifier = 16;
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto hex = [&](char c) { return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == '-'; };
  std::string pattern;
  while (!path.empty() && pattern.size() < Refusals::kPathMax) {
    const std::size_t end = std::min(path.find('/', 1), path.size());
    const std::string_view segment = path.substr(path.front() == '/' ? 1 : 0, end - (path.front() == '/' ? 1 : 0));
    const bool one =
        !segment.empty() && (std::all_of(segment.begin(), segment.end(), digit) ||
                             (segment.size() >= kIdentifier && std::all_of(segment.begin(), segment.end(), hex)));
    one ? pattern += "/*" : pattern += path.substr(0, end);
    path.remove_prefix(end);
  }
  if (pattern.size() > Refusals::kPathMax) pattern.resize(Refusals::kPathMax);
  return pattern;
}

}  // namespace spillway::telemetry
