#include "proxy/tracing/queue.hpp"

#include <iterator>
#include <utility>

namespace tracing {

void Queue::push(std::unique_ptr<const Record> record) {
  bool batch = false;
  {
    const std::lock_guard lock(mutex_);
    if (records_.size() >= kMost) return count_dropped(record->spans());
    records_.push_back(std::move(record));
    batch = records_.size() == kBatch;
  }
  if (batch) changed_.notify_one();
}

void Queue::take(std::vector<std::unique_ptr<const Record>>& records, net::Duration patience) {
  std::vector<std::unique_ptr<const Record>> taken;
  {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, patience, [&] { return stopping_ || records_.size() >= kBatch; });
    taken.swap(records_);
  }
  std::move(taken.begin(), taken.end(), std::back_inserter(records));
  if (records.size() <= kMost) return;
  const auto kept = records.end() - static_cast<std::ptrdiff_t>(kMost);
  for (auto record = records.begin(); record != kept; ++record) count_dropped((*record)->spans());
  records.erase(records.begin(), kept);
}

void Queue::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
}

bool Queue::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

}  // namespace tracing
